"""The families' renaming tables: published keys are in them, and get the documented names."""

import re
from pathlib import Path
from typing import Any

import pytest

from dpt_core.depth.families import FAMILIES
from dpt_core.sam.families import FAMILIES as SAM_FAMILIES
from tests.published import convert_published


def test_every_published_key_can_be_searched_for(manifests: dict[str, Any]) -> None:
    """But for its last part, with numbers of blocks replaced by the table's field."""
    root = Path(__file__).parents[3] / "dpt_core" / "depth" / "families"
    text = "\n".join(file.read_text(encoding="utf-8") for file in root.glob("*.py"))
    fields = {
        r"\d+": "{index}",
        r"\d+\.blocks\.\d+": "{stage}.blocks.{block}",
        r"(?<=stages\.)\d+\.blocks\.\d+": "{res_stage}.blocks.{res_block}",
        r"(?<=stages\.)\d+\.layers\.\d+": "{res_stage}.layers.{res_block}",
        r"(?<=stages\.)\d+(?=\..*downsample)": "{res_stage}",
    }
    for manifest in manifests.values():
        for key in manifest["state_dict"]:
            name = key.removeprefix("model.").rpartition(".")[0]
            forms = (re.sub(number, field, name, count=1) for number, field in fields.items())
            assert name in text or any(form in text for form in forms), key


def test_a_name_and_a_layout_are_one_family() -> None:
    every = [(family.name, family.layout) for family in (*FAMILIES, *SAM_FAMILIES)]
    assert len(set(every)) == len(every)


# Published file, its key, and the name or names that it gets.
VOCABULARY = [
    (
        "dpt_beit_base_384",
        "pretrained.model.blocks.11.mlp.fc1.weight",
        "imgencoder.stages.3.blocks.2.mlp.layers.0.weight",
    ),
    (
        "dpt_beit_base_384",
        "pretrained.act_postprocess1.0.project.0.weight",
        "reassemble.spatial_upx4.readout_proj.1.weight",
    ),
    (
        "dpt_beit_large_512",
        "scratch.refinenet3.resConfUnit1.conv2.bias",
        "fusion.blocks.2.conv_reassembly.conv_seq.3.bias",
    ),
    ("dpt_swin2_tiny_256", "scratch.output_conv.4.bias", "head.proj_1ch.2.bias"),
    (
        "depth_anything_v2_vits",
        "pretrained.blocks.0.ls1.gamma",
        "imgencoder.stages.0.blocks.0.scale_attn",
    ),
    (
        "depth_anything_v2_vitl",
        "pretrained.pos_embed",
        "imgencoder.posenc.cls_embedding imgencoder.posenc.base_patch_embedding",
    ),
    (
        "depth_anything_vits14",
        "depth_head.resize_layers.0.weight",
        "reassemble.spatial_upx4.resample.1.weight",
    ),
    (
        "depth_anything_v2_vits",
        "depth_head.scratch.output_conv1.weight",
        "head.spatial_upsampler.0.weight",
    ),
    # Stages end at the taps: 21, 1, 1, 1 blocks in V1-L, 5, 7, 6, 6 in V2-L.
    (
        "depth_anything_vitl14",
        "pretrained.blocks.21.attn.qkv.bias",
        "imgencoder.stages.1.blocks.0.attn.qkv.bias",
    ),
    (
        "depth_anything_v2_vitl",
        "pretrained.blocks.21.attn.qkv.bias",
        "imgencoder.stages.3.blocks.3.attn.qkv.bias",
    ),
    # The transformers layout: coarsest first, and separate query, key and value.
    (
        "depth-anything/Depth-Anything-V2-Small-hf",
        "neck.fusion_stage.layers.1.residual_layer1.convolution2.bias",
        "fusion.blocks.2.conv_reassembly.conv_seq.3.bias",
    ),
    (
        "Intel/dpt-beit-base-384",
        "backbone.encoder.layer.4.attention.attention.query.bias"
        " + backbone.encoder.layer.4.attention.attention.value.bias",
        "imgencoder.stages.1.blocks.1.attn.qkv.bias",
    ),
    (
        "Intel/dpt-hybrid-midas",
        "dpt.embeddings.backbone.bit.encoder.stages.2.layers.8.conv2.weight",
        "imgencoder.patch_embed.backbone.stages.2.8.conv2.conv.weight",
    ),
]


@pytest.mark.parametrize(("name", "original", "converted"), VOCABULARY)
def test_the_vocabulary_of_converted_names(name: str, original: str, converted: str) -> None:
    origin = convert_published(name).origin
    assert {new for new, old in origin.items() if old == original} == set(converted.split())


def test_all_layouts_share_one_vocabulary() -> None:
    for official, transformers in (
        ("depth_anything_vits14", "LiheYoung/depth-anything-small-hf"),
        ("dpt_beit_large_512", "Intel/dpt-beit-large-512"),
        ("dpt_large_384", "Intel/dpt-large"),
        ("dpt_hybrid_384", "Intel/dpt-hybrid-midas"),
        ("dpt_swin2_base_384", "Intel/dpt-swinv2-base-384"),
    ):
        ours, theirs = (convert_published(n).tensors for n in (official, transformers))
        assert {k: t.shape for k, t in ours.items()} == {k: t.shape for k, t in theirs.items()}
