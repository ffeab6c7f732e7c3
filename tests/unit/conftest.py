"""What the published checkpoints hold: keys, number formats and shapes, without the values."""

import gzip
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

Header = Mapping[str, Sequence[Any]]  # key → number format, then the shape
FORMATS = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64"}


@pytest.fixture(scope="session")
def manifests(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """By name (with the repository's for Hugging Face folders): layout, config, keys and shapes."""
    packed = Path(request.config.rootpath, "tests", "fixtures", "manifests.json.gz")
    return json.loads(gzip.decompress(packed.read_bytes()))


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
