"""The checkpoint in the package: small, described by its metadata, used when none is named."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

import dpt_core
from dpt_core.cli import main
from dpt_core.demo import DEMO_CHECKPOINT
from tests.builders import FIXTURES
from tools.train_demo.photos import ordered, read_pairs, read_photo


@pytest.fixture
def coffee(request: pytest.FixtureRequest):
    return request.config.rootpath / "docs/images/coffee.jpg"


def test_metadata_describes_it():
    assert DEMO_CHECKPOINT.stat().st_size <= 12_000_000
    with safe_open(DEMO_CHECKPOINT, "pt") as file:
        metadata = file.metadata()
    assert metadata.keys() >= {"name", "training", "date", "license", "limits"}
    inspection = dpt_core.inspect(DEMO_CHECKPOINT)
    assert inspection.family == "Depth Anything V2"
    assert inspection.dtype == "float16"


def test_orders_a_photograph_that_it_has_never_seen(coffee):
    model = dpt_core.load(DEMO_CHECKPOINT, dtype=torch.float32)
    inverse = model.infer(read_photo(coffee)).values[0]
    right = ordered(inverse, read_pairs()["coffee.png"])
    assert sum(right) >= 7, right


def test_is_used_when_no_checkpoint_is_named(coffee, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["depth", str(coffee)]) == 0
    with Image.open(tmp_path / "depth/coffee.png") as depth:
        assert depth.size == Image.open(coffee).size
        assert np.asarray(depth).std() > 1000, "16-bit depth that varies"
    assert "demo" in capsys.readouterr().err


def test_is_not_mentioned_beside_another(coffee, tmp_path, capsys):
    checkpoint = FIXTURES / "depth_anything_v2_tiny.safetensors"
    options = ["--checkpoint", str(checkpoint), "--output", str(tmp_path), "--resolution", "42"]
    assert main(["depth", str(coffee), *options]) == 0
    assert "demo" not in capsys.readouterr().err
