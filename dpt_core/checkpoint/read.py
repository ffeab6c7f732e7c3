"""Read a checkpoint file into named tensors, whatever its format, without running code."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError
from .pickle_file import read_pickle
from .safetensors_file import LARGEST_HEADER, Entry, read_header, read_tensor

PREFIXES = ("module.", "model.", "_orig_mod.")  # DataParallel, Lightning, torch.compile


@dataclass(frozen=True)
class StateFile:
    """What a checkpoint file holds.

    Attributes:
        path: the file.
        tensors: name → tensor, common prefixes removed; on the meta device (shape and
            dtype alone) when only the header was asked for.
        metadata: the file's own notes (safetensors; empty for other formats).
        prefix: what was removed from the front of every name, for example ``"module."``.
    """

    path: Path
    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    prefix: str = ""


def read(path: str | Path, *, header_only: bool = False) -> StateFile:
    """Read a .safetensors, .pt, .pth, .bin or .ckpt file; the content decides, not the name.

    Args:
        path: the file.
        header_only: read names, shapes and dtypes alone.

    Raises:
        CheckpointError: there is no such file, or it holds no weights that can be read.
    """
    path = Path(path)
    try:
        kind = _sniff(path)
        if kind == "safetensors":
            entries, metadata = read_header(path)
            tensors = _meta(entries) if header_only else _read_all(path, entries)
        else:
            tensors, metadata = read_pickle(path, mapped=header_only), {}
            if header_only:
                tensors = {name: tensor.to("meta") for name, tensor in tensors.items()}
    except FileNotFoundError as error:
        raise CheckpointError(
            f"There is no file at {path}: it was moved, renamed or deleted. Refresh the list "
            "or check the path."
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"{path} could not be read ({error.strerror or error}). Check that it is a file "
            "and that you may read it."
        ) from error
    prefix = _common_prefix(tensors)
    stripped = {name[len(prefix) :]: tensor for name, tensor in tensors.items()}
    return StateFile(path, stripped, metadata, prefix)


def _sniff(path: Path) -> str:
    """Tell the format by the first bytes; people rename files."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise CheckpointError(
            f"{path.name} is empty (0 bytes): the download did not start. Download it again."
        )
    if head[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return "pickle"
    length = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and length <= LARGEST_HEADER:
        return "safetensors"
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        found = "a web page saved under a model's name"
    elif text.startswith(b"version https://git-lfs"):
        found = "a Git LFS pointer, not the file that it points to"
    elif head.startswith(b"GGUF"):
        found = "a GGUF file"
    elif all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        found = f"a text file that begins with {head[:40].decode('ascii').strip()!r}"
    else:
        found = "neither a safetensors nor a PyTorch file"
    raise CheckpointError(
        f"{path.name} ({size:,} bytes) is {found}. Download the checkpoint itself "
        "(.safetensors, .pth or .pt)."
    )


def _meta(entries: dict[str, Entry]) -> dict[str, Tensor]:
    return {
        name: torch.empty(entry.shape, dtype=entry.dtype, device="meta")
        for name, entry in entries.items()
    }


def _read_all(path: Path, entries: dict[str, Entry]) -> dict[str, Tensor]:
    with path.open("rb", buffering=0) as file:
        return {name: read_tensor(file, entry) for name, entry in entries.items()}


def _common_prefix(tensors: dict[str, Tensor]) -> str:
    """The wrappers' names that stand before every key, such as ``"module.model."``."""
    prefix = ""
    while tensors:
        more = next(
            (p for p in PREFIXES if all(name.startswith(prefix + p) for name in tensors)), None
        )
        if more is None:
            break
        prefix += more
    return prefix
