"""Manifests of checkpoints, in the form of those that the tests keep of published ones."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dpt_core.depth.families import FAMILIES
from tests.builders import tiny_checkpoint, write_checkpoint
from tests.published import write_header
from tools.make_manifest import main, make_manifest


def test_a_published_file_gives_its_manifest_back(
    manifests: dict[str, Any], tmp_path: Path
) -> None:
    name = "depth-anything/DA3MONO-LARGE"
    published = manifests[name]
    path = write_header(tmp_path / name / "model.safetensors", published["state_dict"])
    (path.parent / "config.json").write_text('{"model_name": "da3mono-large"}')
    found = make_manifest(path.parent, name)
    assert list(found["state_dict"].items()) == list(published["state_dict"].items())
    assert found["layout"] == published["layout"]
    assert found["family"] == "Depth Anything 3 mono"
    assert found["name"] == name
    assert found["config"] == {"model_name": "da3mono-large"}
    assert published.keys() <= found.keys()


def test_the_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tiny_checkpoint(FAMILIES[0])
    path = write_checkpoint(tmp_path / "tiny.safetensors", state, {"author": "somebody"})
    assert main([str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == "tiny"
    assert found["notes"] == {"author": "somebody"}
    assert found["params_total"] == sum(tensor.numel() for tensor in state.values())
    assert found["state_dict"]["pretrained.norm.bias"] == ["float32", 64]
    assert found["state_dict"].keys() == state.keys()


def test_the_command_adds_to_the_packed_manifests(
    manifests: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_checkpoint(tmp_path / "tiny.safetensors", tiny_checkpoint(FAMILIES[0]))
    packed = tmp_path / "manifests.json.gz"
    packed.write_bytes(gzip.compress(json.dumps(manifests).encode()))
    command = [str(path), "--name", "a_new_one", "--add-to", str(packed)]
    assert main(command) == 0
    once = packed.read_bytes()
    assert main(command) == 0
    assert packed.read_bytes() == once
    assert capsys.readouterr().out == ""
    added = json.loads(gzip.decompress(once))
    assert added.pop("a_new_one") == make_manifest(path, "a_new_one")
    assert added == manifests


def test_an_unsupported_model_has_a_manifest_too(tmp_path: Path) -> None:
    state = {"module.layer.weight": torch.ones(2, 3, dtype=torch.int8), "module.b": torch.ones(())}
    found = make_manifest(write_checkpoint(tmp_path / "other.pth", state))
    assert found["family"] is found["layout"] is None
    assert found["state_dict"] == {"module.layer.weight": ["int8", 2, 3], "module.b": ["float32"]}


def test_what_is_no_checkpoint_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none.pth")]) == 1
    assert "There is no file" in capsys.readouterr().err
