"""Recorded results of the official implementations (see ``tests/fixtures/README.md``)."""

import json
import math
import os
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

import dpt_core
from dpt_core import DepthModel
from tests.builders import write_checkpoint

# A folder with more records, if there is one: the same tests run over those as well.
MORE = [Path(path) for path in [os.environ.get("DPT_GOLDEN")] if path]


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
        seed = notes.get("seed", 0)
        entries = notes.get("seeded", {}).items()
        made = {name: seeded(name, *entry, seed=seed) for name, entry in entries}
        return cls(path, notes, made | load_file(path))

    def below(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin so, by the rest of their names."""
        items = self.tensors.items()
        return {k.removeprefix(prefix): v for k, v in items if k.startswith(prefix)}


def seeded(name: str, dtype: str, *shape: int, seed: int = 0) -> Tensor:
    """The tensor that its name stands for, the same on every machine and NumPy version."""
    generator = np.random.RandomState(zlib.crc32(name.encode(), seed))
    noise = (2 * generator.random_sample(shape) - 1) * math.sqrt(3)  # mean 0, std 1
    last = name.rpartition(".")[2]
    kind = getattr(torch, dtype)
    if kind == torch.uint8:
        values = np.clip(128 + 64 * noise, 0, 255)
    elif not is_weight(name, kind):
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


def is_weight(name: str, dtype: torch.dtype) -> bool:
    """Whether a tensor was trained; position indices and attention masks were not."""
    return dtype.is_floating_point and not name.endswith("attn_mask")


def relative_error(ours: Tensor, expected: Tensor) -> float:
    """The largest difference, in units of the expected values' standard deviation."""
    assert ours.shape == expected.shape
    expected = expected.float()
    return ((ours.float() - expected).abs().max() / expected.std()).item()


def to_images(pixels: Tensor) -> Tensor:
    """H×W×3 uint8 → 1×3×H×W in [0, 1]."""
    return pixels.permute(2, 0, 1).unsqueeze(0).float() / 255


def write_weights(record: Record, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The weights as a file in their own layout, and the hints that its name does not give."""
    folder.mkdir(exist_ok=True)
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
    return write_checkpoint(path, record.below("sd.")), hints


def load_record(record: Record | Path, folder: Path) -> DepthModel:
    """Load the model whose weights a record (or the file of one) holds, by way of a folder."""
    record = Record.read(record) if isinstance(record, Path) else record
    path, hints = write_weights(record, folder / record.path.stem)
    return dpt_core.load(path, **hints)
