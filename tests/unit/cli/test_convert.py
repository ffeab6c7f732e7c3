"""How `convert` calls the library, and what it prints."""

import dataclasses
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import dpt_core
from dpt_core import CheckpointError, Inspection
from dpt_core.cli import main

Capture = pytest.CaptureFixture[str]


class Conversion:
    """Stands in for `conversion.convert_checkpoint`: copies the file and remembers the call."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}

    def __call__(self, source: Path, target: Path, **options: Any) -> Inspection:
        self.options = options
        if options["layout"] == "transformers":
            raise CheckpointError("There is no such layout for it; choose official.")
        target.write_bytes(source.read_bytes())
        return dataclasses.replace(dpt_core.inspect(source), path=target)


@pytest.fixture
def conversion(monkeypatch: pytest.MonkeyPatch) -> Conversion:
    module, double = ModuleType("dpt_core.conversion"), Conversion()
    vars(module)["convert_checkpoint"] = double
    monkeypatch.setitem(sys.modules, "dpt_core.conversion", module)
    return double


def test_the_file_is_written_and_described(
    conversion: Conversion, checkpoint: Path, tmp_path: Path, capsys: Capture
):
    target = tmp_path / "out.safetensors"
    options = ["--layout", "official", "--dtype", "float16", "--max-depth", "20"]
    assert main(["convert", str(checkpoint), str(target), *options]) == 0
    assert target.read_bytes() == checkpoint.read_bytes()
    overrides = {"variant": None, "max_depth": 20.0, "pretrained_window": None}
    assert conversion.options == {"layout": "official", "dtype": torch.float16, **overrides}
    assert capsys.readouterr().out.startswith(f"{target}: Depth Anything V2, official keys, ")


def test_the_number_format_stays_by_default(
    conversion: Conversion, checkpoint: Path, tmp_path: Path
):
    main(["convert", str(checkpoint), str(tmp_path / "a.safetensors"), "--layout", "official"])
    assert conversion.options["dtype"] is None


def test_a_file_is_only_replaced_with_overwrite(
    conversion: Conversion, checkpoint: Path, tmp_path: Path, capsys: Capture
):
    target = tmp_path / "out.safetensors"
    target.write_bytes(b"mine")
    argv = ["convert", str(checkpoint), str(target), "--layout", "official"]
    assert main(argv) == 2
    assert capsys.readouterr().err.startswith(f"error: {target} already exists")
    assert target.read_bytes() == b"mine"
    assert main([*argv, "--overwrite"]) == 0
    assert target.read_bytes() == checkpoint.read_bytes()


def test_an_error_is_one_line(
    conversion: Conversion, checkpoint: Path, tmp_path: Path, capsys: Capture
):
    target = str(tmp_path / "out.safetensors")
    assert main(["convert", str(checkpoint), target, "--layout", "transformers"]) == 2
    error = capsys.readouterr().err
    assert error == "error: There is no such layout for it; choose official.\n"
