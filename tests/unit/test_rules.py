"""The renaming engine, and the names it gives."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dpt_core import CheckpointError
from dpt_core.checkpoint.rules import (
    Operation,
    Row,
    Rule,
    convert,
    count_blocks,
    parse_rules,
    revert,
)
from dpt_core.depth.families import FAMILIES
from dpt_core.sam.families import FAMILIES as SAM_FAMILIES

ROWS: list[Row] = [
    {"index": 0, "stage": 0, "block": 0},
    {"index": 1, "stage": 0, "block": 1},
    {"index": 2, "stage": 1, "block": 0},
]
OPERATIONS = {
    "halve": Operation(lambda both: (both[:1], both[1:]), lambda a, b: torch.cat([a, b])),
    "join": Operation(lambda q, v: torch.cat([q, 0 * q, v]), lambda qkv: (qkv[:2], qkv[4:])),
    "reshape": Operation(lambda x: x.reshape(7, 7), lambda x: x.flatten()),
    "zeros": Operation(lambda x: x, torch.zeros_like),
}


def rules(table: str) -> tuple[Rule, ...]:
    return parse_rules(table, OPERATIONS)


def state(*names: str) -> dict[str, Tensor]:
    return {name: torch.tensor([float(i), 10.0 + i]) for i, name in enumerate(names)}


def renamed(table: str, *names: str) -> dict[str, str]:
    """Original → converted name, for tables that keep tensors as they are."""
    _, origin = convert(state(*names), rules(table), ROWS, "file.pth")
    return {old: new for new, old in origin.items()}


def test_a_star_stands_for_weight_and_bias() -> None:
    table = """
        layers.0.* -> seq.first.*  # a comment
        # another

        layers.2.* -> seq.last.*
    """
    assert renamed(
        table, "layers.2.bias", "layers.0.weight", "layers.2.weight", "layers.0.bias"
    ) == {
        "layers.0.weight": "seq.first.weight",
        "layers.0.bias": "seq.first.bias",
        "layers.2.weight": "seq.last.weight",
        "layers.2.bias": "seq.last.bias",
    }


def test_fields_are_filled_from_every_row() -> None:
    table = """
        blocks.{index}.norm -> stages.{stage}.blocks.{block}.norm
        merges.{stage}.norm -> merges.{stage}
    """
    names = ("blocks.0.norm", "blocks.1.norm", "blocks.2.norm", "merges.0.norm", "merges.1.norm")
    assert renamed(table, *names) == {
        "blocks.0.norm": "stages.0.blocks.0.norm",
        "blocks.1.norm": "stages.0.blocks.1.norm",
        "blocks.2.norm": "stages.1.blocks.0.norm",
        "merges.0.norm": "merges.0",
        "merges.1.norm": "merges.1",
    }


def test_one_tensor_splits_and_several_merge_and_back() -> None:
    table = """
        positions -> cls + patches  (halve)
        attn.{index}.q
        + attn.{index}.v -> qkv.{index}  (join)
    """
    names = ("positions", *(f"attn.{i}.{part}" for i in range(3) for part in "qv"))
    tensors = state(*names)
    converted, origin = convert(tensors, rules(table), ROWS, "file.pth")
    assert tensors == {}  # nothing is held twice
    assert converted["cls"].tolist() == [0]
    assert converted["patches"].tolist() == [10]
    assert converted["qkv.1"].tolist() == [3, 13, 0, 0, 4, 14]
    assert origin["cls"] == origin["patches"] == "positions"
    assert origin["qkv.1"] == "attn.1.q + attn.1.v"
    back, expected = revert(converted, rules(table), ROWS), state(*names)
    assert back.keys() == expected.keys()
    assert all(torch.equal(back[name], expected[name]) for name in names)


def test_a_renamed_tensor_is_the_same_tensor() -> None:
    tensors = state("old")
    kept = tensors["old"]
    converted, _ = convert(tensors, rules("old -> new"), ROWS, "file.pth")
    assert converted["new"] is kept
    assert revert(converted, rules("old -> new"), ROWS)["old"] is kept


def test_unused_keys_are_dropped_and_may_be_missing() -> None:
    table = """
        a -> b
        buffer -> unused
        spare.* <- b  (zeros)
    """
    assert renamed(table, "a", "buffer") == {"a": "b"}
    assert renamed(table, "a", "buffer", "spare.bias") == {"a": "b"}
    merge = "q + v -> qv  (join)"
    with pytest.raises(CheckpointError, match=r"lacks keys .*: v"):  # half of a pair is no choice
        renamed(merge, "q")
    # On the way back those are made that a loader insists on.
    back = revert(state("b"), rules(table), ROWS)
    assert {name: tensor.tolist() for name, tensor in back.items()} == {
        "a": [0, 10],
        "spare.weight": [0, 0],
        "spare.bias": [0, 0],
    }


def test_a_table_with_a_mistake_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a rule: a => b"):
        rules("a => b")
    with pytest.raises(KeyError, match="turn"):
        rules("a -> b  (turn)")


def test_errors_name_the_keys() -> None:
    table = "blocks.{index}.norm -> n.{index}"
    whole = [f"blocks.{i}.norm" for i in range(3)]
    with pytest.raises(CheckpointError, match=r"file\.pth holds keys .*: extra\.weight\. "):
        renamed(table, *whole, "extra.weight")
    with pytest.raises(CheckpointError, match=r"file\.pth lacks keys .*: blocks\.1\.norm\. "):
        renamed(table, "blocks.0.norm", "blocks.2.norm")
    with pytest.raises(CheckpointError, match=r"a, b, c and 1,234 more"):
        renamed(table, *whole, "a", "b", "c", *map(str, range(1234)))


def test_an_operation_that_cannot_is_a_wrong_shape() -> None:
    with pytest.raises(CheckpointError, match=r"shape .*\bx\b"):
        convert(state("x"), rules("x -> y  (reshape)"), ROWS, "file.pth")


def test_blocks_are_counted_without_gaps() -> None:
    table = rules("head.* -> head.*\nblocks.{index}.norm.* -> stages.{stage}.{block}.*")
    assert count_blocks([f"blocks.{i}.norm.weight" for i in (2, 0, 1)], table, "index", "f") == 3
    assert count_blocks(["head.weight"], table, "index", "f") == 0
    with pytest.raises(CheckpointError, match="none numbered 1"):
        count_blocks(["blocks.0.norm", "blocks.0.mlp.x", "blocks.2.norm."], table, "index", "f")
    nested = rules("layers.{stage}.blocks.{block}.* -> x.{stage}.{block}.*")
    keys = ["layers.0.blocks.0.bias", "layers.1.blocks.0.bias", "layers.1.blocks.1.bias"]
    assert [count_blocks(keys, nested, "block", "f", stage=i) for i in range(3)] == [1, 2, 0]


def test_every_published_key_can_be_searched_for(manifests: dict[str, Any]) -> None:
    """But for its last part, with numbers of blocks replaced by the table's field."""
    root = Path(__file__).parents[2] / "dpt_core" / "depth" / "families"
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
def test_the_vocabulary_of_converted_names(
    name: str, original: str, converted: str, convert_published: Callable[..., Any]
) -> None:
    origin = convert_published(name).origin
    assert {new for new, old in origin.items() if old == original} == set(converted.split())


def test_all_layouts_share_one_vocabulary(convert_published: Callable[..., Any]) -> None:
    for official, transformers in (
        ("depth_anything_vits14", "LiheYoung/depth-anything-small-hf"),
        ("dpt_beit_large_512", "Intel/dpt-beit-large-512"),
        ("dpt_large_384", "Intel/dpt-large"),
        ("dpt_hybrid_384", "Intel/dpt-hybrid-midas"),
        ("dpt_swin2_base_384", "Intel/dpt-swinv2-base-384"),
    ):
        ours, theirs = (convert_published(n).tensors for n in (official, transformers))
        assert {k: t.shape for k, t in ours.items()} == {k: t.shape for k, t in theirs.items()}
