"""The command line in this process: its inputs, a run, and what it wrote."""

from pathlib import Path

import numpy as np
from PIL import Image

from dpt_core.cli import main


def save_photo(path: Path, seed: int = 0) -> Path:
    """Save a small picture that differs from its mirror images."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).random((6, 8, 3)) * 255
    picture = Image.fromarray(noise.astype(np.uint8)).resize((56, 42), Image.Resampling.BICUBIC)
    picture.save(path)
    return path


def run_depth(inputs: Path | list[Path], checkpoint: Path, output: Path, *more: str) -> int:
    """Run `depth` with more options; returns the exit status."""
    names = [str(path) for path in (inputs if isinstance(inputs, list) else [inputs])]
    options = ["--checkpoint", str(checkpoint), "--output", str(output), "--resolution", "42"]
    return main(["depth", *names, *options, "--device", "cpu", *more])


def files_below(folder: Path) -> list[str]:
    """The paths of all files in a folder, relative to it, sorted."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def read_png16(path: Path) -> tuple[np.ndarray, dict[str, str]]:
    """Raw values from a 16-bit picture, restored by its own text, and the text."""
    with Image.open(path) as picture:
        assert picture.mode == "I;16"
        text = {key: str(value) for key, value in picture.info.items()}
        pixels = np.asarray(picture).astype(np.float64)
    return float(text["offset"]) + float(text["scale"]) * pixels, text
