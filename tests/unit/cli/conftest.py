"""Small pictures, a tiny checkpoint, and the command line in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dpt_core.cli import main


@pytest.fixture
def checkpoint(tmp_path: Path, write_depth_anything: Callable[..., Path]) -> Path:
    return write_depth_anything(tmp_path / "depth_anything_v2_vits.safetensors")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return _save_photo(tmp_path / "photo.png")


def _save_photo(path: Path, seed: int = 0) -> Path:
    """A small picture that differs from its mirror images."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).random((6, 8, 3)) * 255
    picture = Image.fromarray(noise.astype(np.uint8)).resize((56, 42), Image.Resampling.BICUBIC)
    picture.save(path)
    return path


def _run_depth(inputs: Path | list[Path], checkpoint: Path, output: Path, *more: str) -> int:
    names = [str(path) for path in (inputs if isinstance(inputs, list) else [inputs])]
    options = ["--checkpoint", str(checkpoint), "--output", str(output), "--resolution", "42"]
    return main(["depth", *names, *options, "--device", "cpu", *more])


def _files_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def _restored(path: Path) -> tuple[np.ndarray, dict[str, str]]:
    """Raw values from a 16-bit picture, by its own text, and the text."""
    with Image.open(path) as picture:
        assert picture.mode == "I;16"
        text = {key: str(value) for key, value in picture.info.items()}
        pixels = np.asarray(picture).astype(np.float64)
    return float(text["offset"]) + float(text["scale"]) * pixels, text


@pytest.fixture
def save_photo() -> Callable[..., Any]:
    """A function (path, seed) → the path of a small picture that it has saved."""
    return _save_photo


@pytest.fixture
def run_depth() -> Callable[..., Any]:
    """A function (inputs, checkpoint, output, *options) → the exit status of `depth`."""
    return _run_depth


@pytest.fixture
def files_below() -> Callable[..., Any]:
    """A function (folder) → the paths of all files in it, sorted."""
    return _files_below


@pytest.fixture
def restored() -> Callable[..., Any]:
    """A function (path) → raw values of a 16-bit picture, and its text."""
    return _restored
