"""What `inspect` shows of a checkpoint."""

import dataclasses
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import dpt_core
from dpt_core.cli import main

Capture = pytest.CaptureFixture[str]


class TestInspect:
    def test_json_is_the_inspection(self, checkpoint, capsys: Capture):
        assert main(["inspect", str(checkpoint), "--json", "--max-depth", "20"]) == 0
        shown = json.loads(capsys.readouterr().out)
        expected = dpt_core.inspect(checkpoint, max_depth=20)
        fields = json.loads(json.dumps(dataclasses.asdict(expected), default=str))
        assert shown == {**fields, "published": None}
        assert shown["path"] == str(checkpoint)
        assert shown["family"] == "Depth Anything V2 metric"
        assert shown["config"]["head"]["max_depth"] == 20
        assert shown["config"]["encoder"]["stage_depths"] == [3, 3, 3, 3]
        assert [hint["evidence"] for hint in shown["hints"]] == [
            "the name 'depth_anything_v2_vits'",
            "chosen by the user",
        ]

    def test_the_table_is_aligned_and_gives_the_evidence(self, checkpoint, capsys: Capture):
        assert main(["inspect", str(checkpoint), "--variant", "v1"]) == 0
        lines = capsys.readouterr().out.splitlines()
        rows = {line[: line.index("  ")]: line for line in lines}
        assert rows["family"].endswith("  Depth Anything V1")
        assert rows["variant"].endswith("  v1 (chosen by the user)")
        assert rows["encoder stage depths"].endswith("  9 1 1 1")
        column = rows["family"].index("Depth Anything")
        assert all(line[column - 2 : column] == "  " and line[column] != " " for line in lines)


class Row(NamedTuple):
    """What `conversion.list_keys` gives for a key."""

    original: str
    converted: str | None
    shape: tuple[int, ...]
    dtype: str = "float32"


ROWS = [
    Row("pretrained.cls_token", "imgencoder.posenc.cls_embedding", (1, 1, 24)),
    Row("scale", "head.scale", ()),
    Row("pretrained.mask", None, (1, 24)),
]
NO_OVERRIDES = {"variant": None, "max_depth": None, "pretrained_window": None}


class TestKeys:
    @pytest.fixture
    def conversion(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """The arguments of the calls of a `list_keys` that gives `ROWS`."""
        calls: list[Any] = []

        def list_keys(path: Path, **overrides: Any) -> list[Row]:
            calls.append((path, overrides))
            return ROWS

        module = ModuleType("dpt_core.conversion")
        vars(module)["list_keys"] = list_keys
        monkeypatch.setitem(sys.modules, "dpt_core.conversion", module)
        return calls

    def test_keys_are_aligned_one_per_line(self, checkpoint, capsys: Capture, conversion):
        assert main(["inspect", str(checkpoint), "--keys", "--variant", "v1"]) == 0
        assert capsys.readouterr().out == (
            "pretrained.cls_token  imgencoder.posenc.cls_embedding  1×1×24\n"
            "scale                 head.scale                       scalar\n"
            "pretrained.mask       (not used)                       1×24\n"
        )
        assert conversion == [(checkpoint, {**NO_OVERRIDES, "variant": "v1"})]

    def test_json_has_them_beside_the_inspection(self, checkpoint, capsys: Capture, conversion):
        assert main(["inspect", str(checkpoint), "--keys", "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["family"] == "Depth Anything V2"
        assert [row["converted"] for row in shown["keys"]] == [row.converted for row in ROWS]
        assert shown["keys"][0] == {
            "original": "pretrained.cls_token",
            "converted": "imgencoder.posenc.cls_embedding",
            "shape": [1, 1, 24],
            "dtype": "float32",
        }
        assert conversion == [(checkpoint, NO_OVERRIDES)]
