"""Every published checkpoint is recognised as its own layout, and nothing else as any."""

from pathlib import Path
from typing import Any

import pytest
import torch

from dpt_core import CheckpointError
from dpt_core.checkpoint.detect import detect
from dpt_core.depth.families import FAMILIES
from dpt_core.depth.network import DPT
from dpt_core.loading import inspect
from tests.published import Converted, convert_published, published_state, write_header


def build(converted: Converted) -> DPT:
    with torch.device("meta"):
        net = DPT(converted.config)
    net.load_state_dict(converted.tensors, strict=True, assign=True)
    return net


def test_published_checkpoints_are_one_layout_each_and_load_strictly(
    manifests: dict[str, dict[str, Any]],
) -> None:
    assert len(manifests) == 44
    for name, manifest in manifests.items():
        keys = published_state(name).keys()
        matches = [f for f in FAMILIES if all(key in keys for key in f.signature)]
        converted = convert_published(name)  # an unknown or a missing key is an error
        assert matches == [converted.family], name
        assert converted.family.layout == manifest["layout"], name
        assert build(converted).config == converted.config


def test_published_checkpoints_load_without_their_optional_keys(
    manifests: dict[str, dict[str, Any]],
) -> None:
    optional = {name: m["optional_keys"] for name, m in manifests.items() if m["optional_keys"]}
    assert optional.keys() == {"Intel/dpt-large", "Intel/dpt-hybrid-midas"}
    for name, keys in optional.items():
        whole, part = convert_published(name), convert_published(name, without=keys.__contains__)
        assert whole.tensors.keys() == part.tensors.keys()
        build(part)


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
def test_keys_that_no_network_uses_may_be_missing(
    unused: str, name: str, manifests: dict[str, dict[str, Any]]
) -> None:
    assert any(unused in key for key in manifests[name]["state_dict"])
    build(convert_published(name, without=lambda key: unused in key))


def test_an_incomplete_file_names_the_nearest_family_and_the_key() -> None:
    key = "depth_head.scratch.output_conv2.2.weight"
    tensors = published_state("depth_anything_v2_vits", without=key.__eq__)
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
def test_unsupported_models_are_refused_by_name(key: str, found: str) -> None:
    alone = {key: torch.empty(0)}
    with pytest.raises(CheckpointError, match=found):
        detect(alone, FAMILIES, "other.pth")
    # A relative with every key of a supported model and more is not taken for that model.
    with pytest.raises(CheckpointError, match=found):
        detect(published_state("depth_anything_v2_vits") | alone, FAMILIES, "other.pth")


def test_inspect_reads_a_published_file_by_its_header(
    manifests: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    manifest = manifests["depth_anything_v2_vitg"]
    path = write_header(tmp_path / "depth_anything_v2_vitg.safetensors", manifest["state_dict"])
    inspection = inspect(path)
    assert inspection.bytes > 5e9  # a hole: there is nothing to read but the header
    assert inspection.bytes == path.stat().st_size
    assert inspection.dtype == "float32"
    assert inspection.family == "Depth Anything V2"
    assert inspection.layout == "official"
    assert inspection.warnings == ()
