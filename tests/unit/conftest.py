"""What the published checkpoints hold: keys, number formats and shapes, without the values."""

import gzip
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
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

Header = Mapping[str, Sequence[Any]]  # key → number format, then the shape
FORMATS = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64"}


@pytest.fixture(scope="session")
def manifests(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """By name (with the repository's for Hugging Face folders): layout, config, keys and shapes."""
    packed = Path(request.config.rootpath, "tests", "fixtures", "manifests.json.gz")
    return json.loads(gzip.decompress(packed.read_bytes()))


class Converted(NamedTuple):
    """A published checkpoint on the meta device, after detect, convert and measure."""

    family: Family
    config: DPTConfig
    tensors: dict[str, Tensor]
    origin: dict[str, str]


def empty_state(
    manifest: Mapping[str, Any], without: Callable[[str], bool] = lambda key: False
) -> dict[str, Tensor]:
    """A published state dict on the meta device, without the wrapper's name that some have."""
    return {
        key.removeprefix("model."): torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
        for key, (dtype, *shape) in manifest["state_dict"].items()
        if not without(key)
    }


def convert_state(tensors: dict[str, Tensor], name: str) -> Converted:
    """As `load` does, as far as no values are needed."""
    family = detect(tensors, FAMILIES, name)
    plan = family.plan(tensors, FileContext.of(Path(name), {}), Overrides())
    converted, origin = convert(tensors, family.rules, plan.rows, name)
    config = family.configure(Shapes(converted, origin, name), plan)
    return Converted(family, config, converted, origin)


@pytest.fixture(scope="session")
def published_state(manifests: dict[str, Any]) -> Callable[..., dict[str, Tensor]]:
    """A function: (name, without=a test of keys to leave out) → its state dict on meta."""
    return lambda name, **options: empty_state(manifests[name], **options)


@pytest.fixture(scope="session")
def convert_published(manifests: dict[str, Any]) -> Callable[..., Converted]:
    """A function: (name, without=a test of keys to leave out) → what becomes of it."""
    return lambda name, **options: convert_state(empty_state(manifests[name], **options), name)


def write_sparse(header: Header, path: Path, metadata: Mapping[str, str] | None = None) -> Path:
    """A safetensors file of the right size that is all header: the rest is a hole."""
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


@pytest.fixture
def write_header() -> Callable[..., Path]:
    """A function: (keys and shapes, path, metadata) → a safetensors file without its data."""
    return write_sparse


@pytest.fixture
def depth_anything_header(
    write_depth_anything: Callable[..., Path], tmp_path: Path
) -> dict[str, Sequence[Any]]:
    """Keys and shapes of a tiny Depth Anything checkpoint of 12 blocks."""
    state = torch.load(write_depth_anything(tmp_path / "shapes.pth"), weights_only=True)
    return {key: ["float32", *tensor.shape] for key, tensor in state.items()}
