"""The safetensors format: a JSON header, then the raw bytes of every tensor.

The header is checked for consistency and against the file's size before any data is read. No
header can therefore make this use more memory than the file's size, and a truncated download is
told apart from another kind of file. Tensors are read into their own memory: nothing stays mapped
or open, a file that is replaced later cannot change (or crash) a loaded model, and the weights are
in memory only once.

Format: https://github.com/huggingface/safetensors#format
"""

import json
import math
from collections import Counter
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import CheckpointError, cut_off
from .shapes import format_shape

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
MAX_HEADER_BYTES = 10_000_000  # enough for 100,000 tensors; the format allows ten times that
MAX_DIMENSIONS = 8


class Entry(NamedTuple):
    """Where one tensor is: dtype, shape, and byte offsets from the start of the file."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    end: int


def read_header(path: Path) -> tuple[dict[str, Entry], dict[str, str]]:
    """Read the entries by name, in file order, and the file's metadata, but no tensors.

    Raises:
        CheckpointError: the header is damaged, or the file is cut off.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > MAX_HEADER_BYTES:
            raise _damaged(path, f"its header claims to have {length:,} bytes")
        data_start = 8 + length
        if data_start > size:
            raise cut_off(path.name, size, data_start)
        header = _parse(path, file.read(length))
    metadata = header.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _damaged(path, "its __metadata__ is not an object of strings")
    entries = {
        name: _entry(path, name, fields, data_start, size) for name, fields in header.items()
    }
    expected = max((entry.end for entry in entries.values()), default=data_start)
    if expected > size:
        raise cut_off(path.name, size, expected)
    _check_order(path, entries, data_start, size)
    return entries, metadata


def read_tensor(file: FileIO, entry: Entry) -> Tensor:
    """Read one tensor into its own memory, from a file opened without buffering.

    Raises:
        CheckpointError: the file became shorter in the meantime.
    """
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


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    """The header as a dict; a name that occurs twice at any level is an error."""

    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) < len(pairs):
            twice = next(name for name, count in Counter(n for n, _ in pairs).items() if count > 1)
            raise _damaged(path, f"its header has two entries for {twice!r}")
        return names

    try:
        header: Any = json.loads(text.decode("utf-8"), object_pairs_hook=table)
    except CheckpointError:
        raise
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a table of tensors")
    return header


def _entry(path: Path, name: str, fields: Any, data_start: int, size: int) -> Entry:
    try:
        dtype_name, shape = fields["dtype"], tuple(fields["shape"])
        start, end = fields["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise _damaged(path, f"its header's entry for {name!r} is incomplete") from error
    dtype = DTYPES.get(dtype_name) if isinstance(dtype_name, str) else None
    if dtype is None:
        raise CheckpointError(
            f"{path.name} stores {name!r} as {dtype_name!s:.40}, which is not a number format "
            "that this pack reads. Use a float32, float16, bfloat16 or float8 version of the file."
        )
    numbers = (*shape, start, end)
    if len(shape) > MAX_DIMENSIONS or not all(type(n) is int and n >= 0 for n in numbers):
        raise _damaged(path, f"its header gives {name!r} an impossible shape or offset")
    if end - start != math.prod(shape) * dtype.itemsize:
        raise _damaged(
            path,
            f"its header gives {name!r} {end - start:,} bytes for {format_shape(shape)} values "
            f"of {dtype.itemsize} bytes",
        )
    if start == end and max(shape, default=0) > size:  # a side of 0 hides it from the check above
        raise _damaged(path, f"its header gives {name!r} an impossible shape or offset")
    return Entry(dtype, shape, data_start + start, data_start + end)


def _check_order(path: Path, entries: dict[str, Entry], data_start: int, size: int) -> None:
    """Check that the tensors' data fill the file without a gap or an overlap."""
    place = data_start
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)):
        if entry.start != place:
            wrong = "overlaps another tensor" if entry.start < place else "follows a gap"
            raise _damaged(path, f"the data of {name!r} {wrong}")
        place = entry.end
    if place != size:
        raise _damaged(path, f"{size - place:,} bytes follow its last tensor")


def _damaged(path: Path, detail: str) -> CheckpointError:
    return CheckpointError(
        f"{path.name} is not a sound safetensors file: {detail}. Download it again, or export "
        "it again."
    )
