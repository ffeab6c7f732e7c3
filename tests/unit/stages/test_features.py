"""Maps of every part of a model, against the parts called directly."""

import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

import dpt_core
from dpt_core import DepthModel
from dpt_core.stages import (
    FEATURE_NAMES,
    FeatureSpec,
    block_norms,
    extract_features,
)
from dpt_core.stages.blocks import list_blocks
from dpt_core.stages.explorer import capture_tokens
from dpt_core.stages.feature_map import FeatureName
from dpt_core.stages.grid import tokens_to_map
from tests.builders import write_depth_anything
from tests.unit.stages.builders import first_map, make_model, network


def run_by_hand(model: DepthModel, images: Tensor) -> dict[str, list[Tensor]]:
    """The parts of the network, called one after another on one image."""
    inputs = model.preprocess(images)
    net: Any = model.net
    with torch.no_grad():
        stages = net.imgencoder(inputs)
        reassembled = net.reassemble(stages)
        fused = list(net.fusion(reassembled))
        return {
            "stages": [stage.map for stage in stages],
            "reassembled": list(reassembled),
            "fused": fused,
            "head": [net.head.spatial_upsampler(fused[0])],
        }


class TestExtractFeatures:
    @pytest.mark.parametrize("name", ["stages", "reassembled", "fused", "head"])
    def test_maps_are_what_the_parts_return(
        self, model: DepthModel, images: Tensor, name: FeatureName
    ):
        found = extract_features(model, images, FeatureSpec(name))
        for number in range(2):
            expected = run_by_hand(model, images[number : number + 1])[name]
            for stage, wanted in zip(found.maps, expected, strict=name != "head"):
                torch.testing.assert_close(stage.values[number], wanted[0], rtol=0, atol=0)

    @pytest.mark.parametrize("name", FEATURE_NAMES)
    def test_depth_is_bit_identical_and_no_hook_stays(
        self, model: DepthModel, images: Tensor, name: FeatureName
    ):
        expected = model.infer(images)
        found = extract_features(model, images, FeatureSpec(name))
        assert torch.equal(found.depth.values, expected.values)
        assert found.depth.kind == expected.kind
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.net.modules())
        for stage in found.maps:
            assert len(stage.values) == 2
            assert stage.values.dtype == torch.float32

    def test_every_block_is_there_and_one_can_be_chosen(self, model: DepthModel, images: Tensor):
        every = extract_features(model, images, FeatureSpec("blocks")).maps
        blocks = list_blocks(model.net)
        assert len(every) == len(blocks) == sum(model.config.encoder.stage_depths)
        for info, stage in zip(blocks, every, strict=True):
            (one,) = extract_features(model, images, FeatureSpec("block", block=info.index)).maps
            assert one.label == stage.label == f"block {info.index + 1}"
            assert torch.equal(one.values, stage.values)

    def test_the_last_block_is_the_last_stage_before_its_norm(self, model, images):
        (block,) = extract_features(model, images, FeatureSpec("block")).maps
        stage = extract_features(model, images, FeatureSpec("stages")).maps[3]
        norm = getattr(network(model).imgencoder, "norm", torch.nn.Identity())
        expected = norm(block.values.movedim(1, -1)).movedim(-1, 1)
        torch.testing.assert_close(stage.values, expected, rtol=0, atol=1e-6)

    def test_patch_tokens_are_the_embedding_of_each_patch(self, images: Tensor):
        model = make_model("dinov2")
        (patches,) = extract_features(model, images[:1], FeatureSpec("patches")).maps
        proj = network(model).imgencoder.patch_embed.proj
        x = model.preprocess(images[:1])
        assert patches.values.shape == (1, 16, x.shape[2] // 8, x.shape[3] // 8)
        patch = x[0, :, 8:16, 24:32]
        expected = proj.weight.flatten(1) @ patch.flatten() + proj.bias
        torch.testing.assert_close(patches.values[0, :, 1, 3], expected)

    def test_captured_maps_are_copies(self, images: Tensor):
        model = make_model("dinov2")
        seen: list[Tensor] = []
        handle = network(model).reassemble.spatial_upx4.register_forward_hook(
            lambda _m, _i, output: seen.append(output)
        )
        (first, *_) = extract_features(model, images[:1], FeatureSpec("reassembled")).maps
        handle.remove()
        assert torch.equal(first.values, seen[0])
        assert first.values.data_ptr() != seen[0].data_ptr()

    def test_the_networks_own_tokens_are_freed_as_it_runs(self, images: Tensor):
        # Otherwise a deep model at a high resolution would fill the device.
        model = make_model("dinov2")
        first, *_, last = (network(model).get_submodule(p.name) for p in list_blocks(model.net))
        tokens: list[Any] = []
        alive: list[bool] = []
        handles = [
            first.register_forward_hook(lambda _m, _i, out: tokens.append(weakref.ref(out))),
            last.register_forward_hook(lambda _m, _i, _o: alive.append(tokens[0]() is not None)),
        ]
        with capture_tokens(model, (40, 48)):
            extract_features(model, images[:1], FeatureSpec("blocks"))
        for handle in handles:
            handle.remove()
        assert alive == [False]

    def test_disparity_of_metres_is_the_reciprocal(self, images: Tensor):
        model = make_model("dinov2")
        head = replace(model.config.head, kind="metres", activation="sigmoid", max_depth=20.0)
        model.config = replace(model.config, head=head)
        model.net.head.config = head
        found = extract_features(model, images, FeatureSpec("depth"))
        torch.testing.assert_close(found.maps[0].values[:, 0], 1 / found.depth.values)


class TestPositions:
    def test_absolute_ones_are_what_is_added(self, images: Tensor):
        for name in ("dinov2", "hybrid"):
            model = make_model(name)
            positions = first_map(model, images[:1], FeatureSpec("positions"))
            posenc = network(model).imgencoder.posenc
            grid = (positions.shape[2], positions.shape[3])
            tokens = torch.rand(1, 1 + grid[0] * grid[1], 16)
            added = tokens_to_map(posenc(tokens, grid) - tokens, grid)
            torch.testing.assert_close(positions, added, atol=1e-6, rtol=0)

    def test_relative_ones_depend_on_the_point(self, images: Tensor):
        model = make_model("beit")
        grids = {}
        for x in (0.0, 1.0):
            spec = FeatureSpec("positions", block=0, point=(x, 0.5))
            grids[x] = first_map(model, images[:1], spec)
        block = network(model).imgencoder.stages[0].blocks[0]
        rows, columns = grids[0.0].shape[-2:]
        offsets = block.relative_bias.offsets((rows, columns), torch.empty(0))
        bias = block.relative_bias.expand((rows, columns), offsets)
        index = 1 + rows // 2 * columns
        assert torch.equal(grids[0.0][0].flatten(1), bias[:, index, 1:])
        assert torch.equal(grids[1.0][0].flatten(1), bias[:, index + columns - 1, 1:])

    def test_swin_shows_the_window_of_the_point(self, images: Tensor):
        for name in ("swin1", "swin2"):
            stage = extract_features(
                make_model(name), images[:1], FeatureSpec("positions", block=0)
            ).maps[0]
            assert stage.windows == (4, 0)
            assert stage.values.shape == (1, 2, 16, 16)
            has_value = ~stage.values[0, 0].isnan()
            assert has_value.sum() == 16
            assert has_value[8:12, 8:12].all()


class TestErrors:
    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            (FeatureSpec("block", block=5), r"Block 6 was requested, but this model has 5 blocks"),
            (FeatureSpec("attention", head=2), r"Head 3 was requested, but this block has 2 heads"),
            (FeatureSpec("attention", point=(0.5, 1.5)), r"x = 0.5, y = 1.5; both go from 0"),
            (
                FeatureSpec(cast(Any, "smell")),
                r"no features 'smell'; choose one of patches, stages",
            ),
        ],
    )
    def test_errors_name_what_is_missing(self, spec: FeatureSpec, message: str, images: Tensor):
        model = make_model("dinov2")
        with pytest.raises(ValueError, match=message):
            extract_features(model, images, spec)
        assert not any(m._forward_hooks for m in model.net.modules())

    def test_maps_that_do_not_fit_into_memory_are_refused_at_the_first_image(self, images: Tensor):
        model = make_model("dinov2")
        spec, done = FeatureSpec("stages"), []
        needed = sum(stage.values.nbytes for stage in extract_features(model, images, spec).maps)
        extract_features(model, images, spec, max_bytes=needed)
        with pytest.raises(ValueError, match=r"maps of 2 images would take 0\.0 GB of memory"):
            extract_features(
                model, images, spec, max_bytes=needed - 1, progress=lambda *at: done.append(at)
            )
        assert not done
        assert not any(m._forward_hooks for m in model.net.modules())

    def test_no_images(self):
        with pytest.raises(ValueError, match="There are no images"):
            extract_features(make_model("dinov2"), torch.rand(0, 3, 40, 48), FeatureSpec("stages"))

    def test_swin_has_no_cls_token(self, images: Tensor):
        with pytest.raises(ValueError, match="Swin has no cls token"):
            extract_features(make_model("swin1"), images, FeatureSpec("attention", query="cls"))


def test_norms_are_those_of_the_blocks(model: DepthModel, images: Tensor):
    norms, depth = block_norms(model, images)
    every = extract_features(model, images, FeatureSpec("blocks"))
    expected = torch.stack([s.values.norm(dim=1).mean(dim=(1, 2)) for s in every.maps], dim=1)
    torch.testing.assert_close(norms, expected)
    assert torch.equal(depth.values, every.depth.values)


def test_it_works_for_a_loaded_checkpoint_in_half_precision(tmp_path: Path, images: Tensor):
    path = write_depth_anything(tmp_path / "depth_anything_v2_vits.pth")
    loaded = dpt_core.load(path, dtype=torch.bfloat16)
    found = extract_features(
        loaded, images, FeatureSpec("attention", query="average"), resolution=70
    )
    assert found.maps[0].values.shape == (2, 1, 5, 6)
    assert found.maps[0].values.sum(dim=(2, 3)).max() <= 1.01
