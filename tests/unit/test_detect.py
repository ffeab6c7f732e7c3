"""Every published checkpoint is one known layout, and nothing else is taken for one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import dpt_core
from dpt_core import CheckpointError
from dpt_core.checkpoint.detect import detect
from dpt_core.checkpoint.rules import convert
from dpt_core.depth.families import FAMILIES
from dpt_core.depth.families.family import Family
from dpt_core.depth.hints import Requests
from dpt_core.depth.measure import Shapes
from dpt_core.depth.net import DPT
from dpt_core.depth.surroundings import Surroundings

Manifests = dict[str, dict[str, Any]]


def empty_tensors(manifest: dict[str, Any], without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The state dict on the meta device, without the wrapper's name that some have."""
    return {
        key.removeprefix("model."): torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
        for key, (dtype, *shape) in manifest["state_dict"].items()
        if key not in without
    }


def build(tensors: dict[str, Any], name: str) -> tuple[Family, DPT]:
    """From a state dict to a network, as `load` does, on the meta device."""
    family = detect(tensors, FAMILIES, name)
    around = Surroundings.of(Path(name), {})
    plan = family.plan(tensors, around, Requests())
    converted, origin = convert(tensors, family.rules, plan.rows, name)
    assert not tensors  # each key met its rule
    config = family.configure(Shapes(converted, origin, name), plan)
    with torch.device("meta"):
        net = DPT(config)
    net.load_state_dict(converted, strict=True, assign=True)
    return family, net


def test_published_checkpoints_are_one_layout_each_and_load_strictly(manifests: Manifests) -> None:
    assert len(manifests) == 44
    for name, manifest in manifests.items():
        tensors = empty_tensors(manifest)
        matches = [f for f in FAMILIES if all(key in tensors for key in f.signature)]
        family, net = build(tensors, name)
        assert matches == [family], name
        assert family.layout == manifest["layout"], name
        assert all(parameter.is_meta for parameter in net.parameters())


def test_published_checkpoints_load_without_their_optional_keys(manifests: Manifests) -> None:
    optional = {name: tuple(m["optional_keys"]) for name, m in manifests.items()}
    assert sum(map(bool, optional.values())) == 2  # dpt-large and dpt-hybrid-midas
    for name, keys in optional.items():
        if keys:
            whole = build(empty_tensors(manifests[name]), name)[1].state_dict()
            part = build(empty_tensors(manifests[name], without=keys), name)[1].state_dict()
            assert whole.keys() == part.keys()


@pytest.mark.parametrize(
    ("unused", "name"),
    [
        ("mask_token", "depth_anything_v2_vits"),
        ("refinenet4.resConfUnit1", "dpt_large_384"),
        ("relative_position_index", "dpt_beit_base_384"),
        ("attn_mask", "dpt_swin2_tiny_256"),
        ("pretrained.model.head.", "dpt_hybrid_384"),
    ],
)
def test_what_no_network_uses_may_be_missing(unused: str, name: str, manifests: Manifests) -> None:
    keys = tuple(key for key in manifests[name]["state_dict"] if unused in key)
    assert keys
    build(empty_tensors(manifests[name], without=keys), name)


def test_an_incomplete_file_names_the_nearest_family_and_the_key(manifests: Manifests) -> None:
    key = "depth_head.scratch.output_conv2.2.weight"
    tensors = empty_tensors(manifests["depth_anything_v2_vits"], without=(key,))
    with pytest.raises(CheckpointError, match=f"most like Depth Anything .* lacks {key}"):
        detect(tensors, FAMILIES, "cut.pth")


def test_an_unknown_model_is_described_by_its_keys() -> None:
    tensors = {f"layer.{i}.weight": torch.empty(0) for i in range(5)}
    with pytest.raises(CheckpointError, match=r"5 tensors such as layer\.0\.weight.*MiDaS BEiT"):
        detect(tensors, FAMILIES, "other.pth")


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("depth_head.motion_modules.0.weight", "Video Depth Anything"),
        ("depth_head.scratch.refinenet1.resConfUnit_depth.conv.weight", "Prompt Depth Anything"),
        ("image_encoder.blocks.0.norm1.weight", r"Segment Anything \(SAM\)"),
        ("model.diffusion_model.input_blocks.0.weight", "Stable Diffusion"),
        ("lora_unet_down_blocks.lora_up.weight", "a LoRA"),
        ("conditional_log_binomial.mlp.weight", "ZoeDepth"),
    ],
)
def test_well_known_others_are_refused_by_name(key: str, found: str, manifests: Manifests) -> None:
    alone = {key: torch.empty(0)}
    with pytest.raises(CheckpointError, match=found):
        detect(alone, FAMILIES, "other.pth")
    # A relative with every key of a supported model and more is not taken for that model.
    with pytest.raises(CheckpointError, match=found):
        detect(empty_tensors(manifests["depth_anything_v2_vits"]) | alone, FAMILIES, "other.pth")


def test_inspect_reads_a_published_file_by_its_header(
    manifests: Manifests, write_header: Callable[..., Path], tmp_path: Path
) -> None:
    manifest = manifests["depth_anything_v2_vitg"]
    path = write_header(manifest["state_dict"], tmp_path / "depth_anything_v2_vitg.safetensors")
    inspection = dpt_core.inspect(path)
    assert inspection.bytes > 5e9  # a hole: there is nothing to read but the header
    assert inspection.bytes == path.stat().st_size
    assert inspection.dtype == "float32"
    assert inspection.family == "Depth Anything V2"
    assert inspection.layout == "official"
    assert inspection.warnings == ()
