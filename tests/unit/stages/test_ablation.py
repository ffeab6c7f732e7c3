"""Ablation: parts of a network that are skipped or scaled."""

import pytest
import torch
from torch import Tensor

from dpt_core import DepthModel, capture
from dpt_core.depth.reassemble import SCALES
from dpt_core.stages import (
    Ablation,
    FeatureSpec,
    ablate,
    extract_features,
)
from dpt_core.stages.blocks import list_blocks
from dpt_core.stages.grid import tokens_to_map
from tests.unit.stages.builders import first_map, make_model, network


class TestAblation:
    def test_a_stage_left_out_is_a_map_of_zeros(self, model: DepthModel, images: Tensor):
        ablation = Ablation(fusion=(1.0, 0.0, 1.0, 2.5))
        before = extract_features(model, images, FeatureSpec("reassembled"))
        after = extract_features(model, images, FeatureSpec("reassembled"), ablation=ablation)
        assert after.maps[1].values.abs().max() == 0
        assert torch.equal(after.maps[3].values, 2.5 * before.maps[3].values)
        with ablate(model.net, ablation):
            fused = first_map(model, images, FeatureSpec("fused"))
        for number in range(2):
            with torch.no_grad():
                maps = [s.values[number : number + 1] for s in after.maps]
                (expected, *_) = network(model).fusion(maps)
            # The convolutions' order of sums depends on the maps' layout in memory.
            assert (fused[number] - expected[0]).abs().max() < 1e-5 * expected.std()
        assert not torch.equal(after.depth.values, before.depth.values)

    def test_factors_of_one_change_nothing(self, model: DepthModel, images: Tensor):
        expected = model.infer(images).values
        with ablate(model.net, Ablation()):
            assert torch.equal(model.infer(images).values, expected)

    def test_a_skipped_block_passes_its_input_on(self, model: DepthModel, images: Tensor):
        last = len(list_blocks(model.net)) - 1
        spec = FeatureSpec("block", block=last)
        skipped = extract_features(model, images, spec, ablation=Ablation(skip_blocks=(last,)))
        block = network(model).get_submodule(list_blocks(model.net)[last].name)
        seen: list[Tensor] = []
        handle = block.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
        expected = extract_features(model, images, spec).depth
        handle.remove()
        assert not torch.equal(skipped.depth.values, expected.values)
        grid = (skipped.maps[0].values.shape[2], skipped.maps[0].values.shape[3])
        assert torch.equal(
            skipped.maps[0].values, torch.cat([tokens_to_map(x, grid) for x in seen])
        )

    def test_capture_sees_the_ablation_in_either_order(self, images: Tensor):
        model = make_model("dinov2")
        ablation = Ablation(skip_blocks=(1,), fusion=(2.0, 1.0, 1.0, 1.0))
        names = ["imgencoder.stages.0.blocks.1", f"reassemble.{SCALES[0]}"]
        with capture(model.net, names) as early, ablate(model.net, ablation):
            model.infer(images[:1])
        with ablate(model.net, ablation), capture(model.net, names) as late:
            model.infer(images[:1])
        assert all(torch.equal(early[name], late[name]) for name in names)

    def test_a_block_that_is_not_there(self, images: Tensor):
        model = make_model("dinov2")
        with (
            pytest.raises(ValueError, match="this model has 5 blocks"),
            ablate(model.net, Ablation(fusion=(2.0, 1.0, 1.0, 1.0), skip_blocks=(9,))),
        ):
            pass
        assert not any(m._forward_hooks for m in model.net.modules())
