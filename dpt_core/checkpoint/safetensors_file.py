"""The safetensors format: a JSON header, then the raw bytes of every tensor.

The header is checked against the file's size before a byte of data is read, so a
download that was cut off is told from a file that is something else. Tensors are read
into memory of their own: nothing stays mapped or open, a file that is replaced later
cannot change (or crash) a loaded model, and memory holds the weights once.

Format: https://github.com/huggingface/safetensors#format
"""

import json
import math
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import CheckpointError

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
LARGEST_HEADER = 100_000_000  # bytes; the format's own limit


class Entry(NamedTuple):
    """Where one tensor lies: dtype, shape, and byte offsets from the start of the file."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    end: int


def read_header(path: Path) -> tuple[dict[str, Entry], dict[str, str]]:
    """Entries by name, in file order, and the file's metadata. Reads the header alone."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > LARGEST_HEADER:
            raise _damaged(path, f"its header claims {length:,} bytes")
        if 8 + length > size:
            raise _cut_off(path, size, 8 + length)
        try:
            header: Any = json.loads(file.read(length))
        except ValueError as error:
            raise _damaged(path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a table")
    metadata = header.pop("__metadata__", None) or {}
    data_start = 8 + length
    entries = {name: _entry(path, name, fields, data_start) for name, fields in header.items()}
    expected = max((entry.end for entry in entries.values()), default=data_start)
    if expected > size:
        raise _cut_off(path, size, expected)
    return entries, {str(key): str(value) for key, value in metadata.items()}


def read_tensor(file: FileIO, entry: Entry) -> Tensor:
    """One tensor in memory of its own, from a file opened without buffering."""
    tensor = torch.empty(entry.shape, dtype=entry.dtype)
    if tensor.numel() == 0:
        return tensor
    view = tensor.view(-1).view(torch.uint8).numpy().data
    file.seek(entry.start)
    done = 0
    while done < len(view):
        count = file.readinto(view[done:])
        if not count:
            raise CheckpointError(
                f"{file.name} became shorter while it was read; it may still be downloading. "
                "Wait for the download to finish and load it again."
            )
        done += count
    return tensor


def _entry(path: Path, name: str, fields: Any, data_start: int) -> Entry:
    try:
        dtype_name, shape = fields["dtype"], tuple(fields["shape"])
        start, end = fields["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise _damaged(path, f"the header's entry for {name!r} is incomplete") from error
    dtype = DTYPES.get(dtype_name)
    if dtype is None:
        raise CheckpointError(
            f"{path.name} stores {name!r} as {dtype_name}, which is not a number format that "
            "this pack reads; use a float32, float16, bfloat16 or float8 version of the file."
        )
    numbers = (*shape, start, end)
    if not all(isinstance(n, int) and n >= 0 for n in numbers) or (
        end - start != math.prod(shape) * dtype.itemsize
    ):
        raise _damaged(path, f"the header's entry for {name!r} does not fit its own size")
    return Entry(dtype, shape, data_start + start, data_start + end)


def _damaged(path: Path, detail: str) -> CheckpointError:
    return CheckpointError(
        f"{path.name} is not a readable safetensors file: {detail}. Download it again."
    )


def _cut_off(path: Path, size: int, expected: int) -> CheckpointError:
    return CheckpointError(
        f"{path.name} is cut off: it holds {size:,} bytes and its header promises "
        f"{expected:,}. The download did not finish; download it again."
    )
