"""Intermediate results by name, from outside the forward pass."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dpt_core import DepthModel, capture, load
from dpt_core.checkpoint.family import Family
from dpt_core.depth.families import FAMILIES
from dpt_core.depth.heads import bands
from tests.builders import tiny_checkpoint, write_checkpoint, write_depth_anything


@pytest.fixture
def model(tmp_path: Path) -> DepthModel:
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


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f"{f.name}-{f.layout}-{f.signature[-2]}")
def test_every_name_gives_what_a_plain_forward_gives_and_keeps_it(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_checkpoint(tmp_path / "model.safetensors", tiny_checkpoint(family))
    model, plain = load(path), load(path, ops=nn)
    side = 2 * model.config.image.multiple if model.config.image.fit != "square" else 0
    images = torch.rand(2, 3, side or model.config.image.side, side or model.config.image.side)
    if side:
        images = images[..., : side // 2]  # not square
    names = [name for name, _ in model.net.named_modules() if name]

    # As it is used, in bands of few rows: what stands in the results after the run, …
    monkeypatch.setattr(bands, "MIN_ROWS", 1)
    monkeypatch.setattr(bands, "BAND_BYTES", 2**10)
    with torch.no_grad(), capture(model.net, names) as results:
        model.net(images)
    # … and PyTorch's own layers on whole maps, each output copied as soon as it is there.
    monkeypatch.setattr(bands, "BAND_BYTES", 2**40)
    with torch.no_grad(), capture(plain.net, names, lambda _, output: copy(output)) as expected:
        plain.net(images)

    assert results.keys() == expected.keys()
    assert {name.split(".")[0] for name in results} == {
        "imgencoder",
        "reassemble",
        "fusion",
        "head",
    }
    for name in expected:
        for found, wanted in zip(flat(results[name]), flat(expected[name]), strict=True):
            assert found.shape == wanted.shape, name
            assert (found - wanted).abs().max() <= 1e-4 * wanted.std() + 1e-6, name


def flat(output: Any) -> list[Tensor]:
    """The tensors in a module's output, whatever they lie in."""
    if isinstance(output, Tensor):
        return [output]
    return [tensor for part in output or () for tensor in flat(part)]


def copy(output: Any) -> list[Tensor]:
    return [tensor.clone() for tensor in flat(output)]
