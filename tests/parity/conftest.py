"""Recorded results of the official implementations (see ``tests/fixtures/README.md``)."""

import json
import math
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import dpt_core
from dpt_core import DepthModel

FIXTURES = Path(__file__).parents[1] / "fixtures" / "golden"
# A folder with more records, for whoever has them: the same tests run over those as well.
FOLDERS = [FIXTURES, *(Path(path) for path in [os.environ.get("DPT_GOLDEN")] if path)]


class Record(NamedTuple):
    """One file of recorded results.

    Attributes:
        path: the file.
        notes: what it was made with.
        tensors: ``sd.*`` weights, ``in.*`` inputs, the rest expected results.
    """

    path: Path
    notes: dict[str, Any]
    tensors: dict[str, Tensor]

    @classmethod
    def read(cls, path: Path) -> "Record":
        notes = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        made = {name: seeded(name, *entry) for name, entry in notes.get("seeded", {}).items()}
        return cls(path, notes, made | load_file(path))

    def below(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin so, by the rest of their names."""
        items = self.tensors.items()
        return {k.removeprefix(prefix): v for k, v in items if k.startswith(prefix)}


def seeded(name: str, dtype: str, *shape: int) -> Tensor:
    """The tensor that its name stands for, the same on every machine and NumPy version."""
    generator = np.random.RandomState(zlib.crc32(name.encode()))
    noise = (2 * generator.random_sample(shape) - 1) * math.sqrt(3)  # mean 0, std 1
    last = name.rpartition(".")[2]
    kind = getattr(torch, dtype)
    if kind == torch.uint8:
        values = np.clip(128 + 64 * noise, 0, 255)
    elif not kind.is_floating_point or last == "attn_mask":
        values = np.zeros(shape)  # made again by every implementation; the shape counts
    elif name.startswith("in."):
        values = noise
    elif last == "logit_scale":
        values = 1.4 + 0.4 * noise
        if "layers.1.blocks.1" in name:
            values[-1] = 5  # one head above the clamp at ln 100
    elif last in ("gamma", "gamma_1", "gamma_2", "lambda1", "lambda_1", "lambda_2"):
        values = 0.75 + 0.12 * noise
    elif last.endswith(("token", "pos_embed", "position_embeddings", "bias_table")):
        values = 0.5 * noise
    elif len(shape) == 1:
        values = (last == "weight") + 0.1 * noise
    else:
        values = noise / math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(values).to(kind)


def relative_error(ours: Tensor, expected: Tensor) -> float:
    """The largest difference, in units of the expected values' standard deviation."""
    assert ours.shape == expected.shape
    return ((ours.float() - expected).abs().max() / expected.std()).item()


def write_checkpoint(record: Record, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The weights as a file in their own layout, and the hints that its name does not give."""
    config = record.notes["config"]
    if record.notes["layout"] == "transformers":
        (folder / "config.json").write_text(json.dumps(config))
        path, hints = folder / "model.safetensors", {}
    else:
        path, hints = folder / "checkpoint.safetensors", {}
        family = record.notes["family"]
        if family in ("depth_anything_v1", "depth_anything_v2"):
            hints = {"variant": family[-2:], "max_depth": config.get("max_depth")}
        elif family == "midas_swin2":
            hints = {"pretrained_window": config.get("pretrained_window", 0)}
    save_file(record.below("sd."), path)
    return path, hints


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that ask for `depth_record` or `image_record` once for every file of the kind."""
    wanted = {"depth_record": ("depth_anything", "midas", "hf_"), "image_record": ("preprocess",)}
    for fixture, starts in wanted.items():
        if fixture in metafunc.fixturenames:
            found = sorted(p for folder in FOLDERS for p in folder.glob("*.safetensors"))
            paths = [p for p in found if p.name.startswith(starts) and "sam" not in p.name]
            ids = [f"{path.parent.name}-{path.stem}" for path in paths]
            metafunc.parametrize(fixture, paths, indirect=True, ids=ids)


@pytest.fixture
def depth_record(request: pytest.FixtureRequest) -> Record:
    return Record.read(request.param)


@pytest.fixture
def image_record(request: pytest.FixtureRequest) -> Record:
    return Record.read(request.param)


@pytest.fixture
def load_record(tmp_path: Path) -> Callable[[Record | Path], DepthModel]:
    """A function that loads the model whose weights a record (or the file of one) holds."""

    def load(record: Record | Path) -> DepthModel:
        record = Record.read(record) if isinstance(record, Path) else record
        folder = tmp_path / record.path.stem
        folder.mkdir(exist_ok=True)
        path, hints = write_checkpoint(record, folder)
        return dpt_core.load(path, **hints)

    return load


@pytest.fixture
def error() -> Callable[[Tensor, Tensor], float]:
    return relative_error
