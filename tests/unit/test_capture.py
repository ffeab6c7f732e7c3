"""Intermediate results by name, from outside the forward pass."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dpt_core import DepthModel, capture, load


@pytest.fixture
def model(write_depth_anything: Callable[..., Path], tmp_path: Path) -> DepthModel:
    return load(write_depth_anything(tmp_path / "depth_anything_v2_vits.safetensors"))


IMAGES = torch.rand(2, 3, 28, 42, generator=torch.Generator().manual_seed(0))


def test_capturing_everything_changes_no_bit_of_the_depth(model: DepthModel) -> None:
    expected = model.net(IMAGES)
    names = [name for name, _ in model.net.named_modules() if name]
    with capture(model.net, names) as results:
        depth = model.net(IMAGES)
    assert torch.equal(depth, expected)
    assert len(results) > 100
    assert torch.equal(model.net(IMAGES), expected)


def test_results_have_the_documented_names_and_shapes(model: DepthModel) -> None:
    names = ["imgencoder.patch_embed", "imgencoder", "reassemble.spatial_upx4", "fusion.blocks.0"]
    with torch.no_grad(), capture(model.net, [*names, "head.proj_1ch"]) as results:
        depth = model.net(IMAGES)
    assert results["imgencoder.patch_embed"].shape == (2, 6, 64)
    assert [stage.map.shape for stage in results["imgencoder"]] == [(2, 64, 2, 3)] * 4
    assert results["imgencoder"][3].cls.shape == (2, 64)
    assert results["reassemble.spatial_upx4"].shape == (2, 10, 8, 12)
    assert results["fusion.blocks.0"].shape == (2, 10, 16, 24)
    assert torch.equal(results["head.proj_1ch"].relu().squeeze(1), depth)


def test_hooks_are_gone_afterwards_whatever_happens(model: DepthModel) -> None:
    with (
        pytest.raises(ValueError, match="multiple of 14"),
        capture(model.net, ["imgencoder"]) as results,
    ):
        model.net(IMAGES[..., :-1])
    model.net(IMAGES)
    assert results == {}
    assert not any(module._forward_hooks for module in model.net.modules())


def test_a_name_that_is_not_there_is_an_error(model: DepthModel) -> None:
    with pytest.raises(AttributeError, match="motion"), capture(model.net, ["head.motion"]):
        pass
    with (
        pytest.raises(AttributeError, match="motion"),
        capture(model.net, ["imgencoder", "head.motion"]),
    ):
        pass
    assert not any(module._forward_hooks for module in model.net.modules())
