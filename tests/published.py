"""What the published checkpoints hold: keys, number formats and shapes, without the values."""

import gzip
import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dpt_core import DPTConfig
from dpt_core.checkpoint.context import FileContext
from dpt_core.checkpoint.detect import detect
from dpt_core.checkpoint.family import Family
from dpt_core.checkpoint.hints import Overrides
from dpt_core.checkpoint.rules import convert
from dpt_core.depth.families import FAMILIES
from dpt_core.depth.measure import Shapes
from tests.builders import FIXTURES

Header = Mapping[str, Sequence[Any]]  # key → number format, then the shape
FORMATS = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64"}


@cache
def read_manifests(folder: Path = FIXTURES) -> dict[str, dict[str, Any]]:
    """By name (with the repository's for Hugging Face folders): layout, config, keys and shapes."""
    return json.loads(gzip.decompress((folder / "manifests.json.gz").read_bytes()))


def empty_state(
    manifest: Mapping[str, Any], without: Callable[[str], bool] = lambda key: False
) -> dict[str, Tensor]:
    """A published state dict on the meta device.

    Args:
        manifest: the checkpoint's; the prefix ``model.`` that some have is left out.
        without: tells which keys to leave out.
    """
    return {
        key.removeprefix("model."): torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
        for key, (dtype, *shape) in manifest["state_dict"].items()
        if not without(key)
    }


def published_state(
    name: str, without: Callable[[str], bool] = lambda key: False
) -> dict[str, Tensor]:
    """The state dict of a published depth checkpoint; see `empty_state`."""
    return empty_state(read_manifests()[name], without)


class Converted(NamedTuple):
    """A published checkpoint on the meta device, after detect, convert and measure."""

    family: Family
    config: DPTConfig
    tensors: dict[str, Tensor]
    origin: dict[str, str]


def convert_published(name: str, without: Callable[[str], bool] = lambda key: False) -> Converted:
    """Read a published depth checkpoint as `load` does, as far as no values are needed."""
    tensors = published_state(name, without)
    family = detect(tensors, FAMILIES, name)
    plan = family.plan(tensors, FileContext.of(Path(name), {}), Overrides())
    converted, origin = convert(tensors, family.rules, plan.rows, name)
    config = family.configure(Shapes(converted, origin, name), plan)
    return Converted(family, config, converted, origin)


def write_header(path: Path, header: Header, metadata: Mapping[str, str] | None = None) -> Path:
    """Write a safetensors file of the right size that is all header: the rest is a hole."""
    entries: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, (dtype, *shape) in header.items():
        start, end = end, end + math.prod(shape) * getattr(torch, dtype).itemsize
        entries[name] = {"dtype": FORMATS[dtype], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(entries).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return path
