"""The renaming engine."""

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
