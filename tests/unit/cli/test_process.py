"""`inspect`, and the command line as a process of its own."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

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


class TestProcess:
    def test_the_module_runs(self, photo, checkpoint, tmp_path, files_below):
        command = [sys.executable, "-m", "dpt_core", "depth", str(photo), "--resolution", "42"]
        command += ["--checkpoint", str(checkpoint), "--output", str(tmp_path / "out")]
        root = Path(dpt_core.__file__).parent.parent
        result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert result.stderr == ""
        assert result.returncode == 0
        assert result.stdout.startswith("1 written, 0 skipped, 0 already there: ")
        assert files_below(tmp_path / "out") == ["photo.png"]

    def test_help_and_version(self, capsys: Capture):
        for argv, text in (
            (["--help"], "example:"),
            (["depth", "--help"], "millimetres"),
            (["--version"], f"dpt-depth {dpt_core.__version__}"),
        ):
            with pytest.raises(SystemExit) as stop:
                main(argv)
            assert stop.value.code == 0
            assert text in capsys.readouterr().out
