"""Read a checkpoint file into named tensors, whatever its format, without running code."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError
from .pickle_file import ZIP_MAGIC, read_pickle
from .safetensors_file import Entry, read_header, read_tensor

MAX_NAME_LENGTH = 500  # characters
COMPILE_PREFIX = "_orig_mod."  # torch.compile puts it before the names in a compiled module
WRAPPER_PREFIXES = ("module.", "model.")  # DataParallel, Lightning


@dataclass(frozen=True)
class StateFile:
    """The contents of a checkpoint file.

    Attributes:
        path: the file.
        tensors: name → tensor, common prefixes removed; on the meta device (only shape and
            dtype) if only the header was read.
        metadata: the metadata inside the file (safetensors; empty for other formats).
        bytes: size of the file, or of all weight files in a folder.
        prefix: what was removed from the front of every name, for example ``"module."``.
        warnings: sentences about what was left out.
    """

    path: Path
    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    bytes: int
    prefix: str = ""
    warnings: tuple[str, ...] = ()


def read(path: str | Path, *, header_only: bool = False) -> StateFile:
    """Read a .safetensors, .pt, .pth, .bin or .ckpt file; the content decides, not the name.

    Args:
        path: the file, or a folder with a model.safetensors or pytorch_model.bin.
        header_only: read only names, shapes and dtypes.

    Raises:
        CheckpointError: the file does not exist, or holds no weights that can be read.
    """
    path = Path(path)
    path = path if path.name else path.absolute()  # gives "." a name
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    size = 0
    try:
        for file in _weight_files(path):
            size += file.stat().st_size
            found, notes = _read_file(file, header_only)
            plain = {name.replace(COMPILE_PREFIX, ""): tensor for name, tensor in found.items()}
            found = plain if len(plain) == len(found) else found
            _check_names(file, found, tensors)
            tensors |= found
            metadata |= notes
    except FileNotFoundError as error:
        raise CheckpointError(
            f"There is no file at {error.filename or path}: it was moved, renamed or deleted. "
            "Refresh the list or check the path."
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"{path} could not be read ({error.strerror or error}). Check that it is a file "
            "and that you have permission to read it."
        ) from error
    if not tensors:
        raise CheckpointError(f"{path.name} holds no tensors at all. Download it again.")
    prefix = _common_prefix(tensors)
    stripped = {name[len(prefix) :]: tensor for name, tensor in tensors.items()}
    return StateFile(path, stripped, metadata, size, prefix)


def _weight_files(path: Path) -> list[Path]:
    """The file, or the weight files (one or several shards) of a Hugging Face folder."""
    if not path.is_dir():
        return [path]
    for stem in ("model.safetensors", "pytorch_model.bin"):
        if (path / stem).is_file():
            return [path / stem]
        index = path / f"{stem}.index.json"
        if index.is_file():
            return [path / name for name in _shards(index)]
    raise CheckpointError(
        f"The folder {path.name or path} holds neither model.safetensors nor "
        "pytorch_model.bin. Choose the checkpoint file itself, or a folder downloaded from "
        "Hugging Face."
    )


def _shards(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        if all(name == Path(name).name for name in names):  # nothing outside the folder
            return names
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{index.name} is damaged. Download it again.") from error
    raise CheckpointError(f"{index.name} points outside its folder. Download it again.")


def _read_file(path: Path, header_only: bool) -> tuple[dict[str, Tensor], dict[str, str]]:
    if _detect_format(path) == "safetensors":
        entries, metadata = read_header(path)
        return (_meta_tensors(entries) if header_only else _read_all(path, entries)), metadata
    tensors = read_pickle(path, mapped=header_only)
    if header_only:
        tensors = {name: tensor.to("meta") for name, tensor in tensors.items()}
    return tensors, {}


def _detect_format(path: Path) -> str:
    """The format by the first bytes, since the name proves nothing."""
    if path.exists() and not path.is_file():  # opening a pipe would block
        raise CheckpointError(f"{path} is not a file. Choose a checkpoint file.")
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise CheckpointError(
            f"{path.name} is empty (0 bytes): the download did not start. Download it again."
        )
    if head.startswith((ZIP_MAGIC, *PICKLE_MAGICS)):
        return "pickle"
    found = _describe(head)
    if found is None and head[8:9] == b"{":
        return "safetensors"
    raise CheckpointError(
        f"{path.name} ({size:,} bytes) is {found or 'neither a safetensors nor a PyTorch file'}. "
        "Download the checkpoint itself (.safetensors, .pth or .pt)."
    )


PICKLE_MAGICS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # protocols 2 to 5
OTHER_FORMATS = (
    (b"GGUF", "a GGUF file, which is for language models and quantised image models"),
    (b"\x1f\x8b", "a packed archive (gzip)"),
    (b"7z\xbc\xaf", "a packed archive (7-Zip)"),
    (b"Rar!", "a packed archive (RAR)"),
    (b"\xfd7zXZ", "a packed archive (xz)"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"%PDF", "a PDF document"),
)
WEB_PAGE = re.compile(r"\s*<(!doctype|!--|html|head|body|\?xml)", re.IGNORECASE)


def _describe(head: bytes) -> str | None:
    """The kind of file that begins like this, if it is a known one that is not a checkpoint."""
    for magic, name in OTHER_FORMATS:
        if head.startswith(magic):
            return name
    text = head.decode("utf-8-sig", errors="ignore")  # the last character may be cut in two
    is_text = len(text.encode()) > len(head) - 4 and all(
        char.isprintable() or char in "\t\r\n" for char in text
    )
    if not is_text:
        return None
    if WEB_PAGE.match(text):
        return "an HTML page, not weights: the download went wrong"
    if text.startswith("version https://git-lfs"):
        return "a Git LFS pointer, not the file that it points to"
    return f"a text file that begins with {' '.join(text.split())[:40]!r}"


def _check_names(path: Path, found: dict[str, Tensor], others: dict[str, Tensor]) -> None:
    """Refuse names that are not printable text, or that occur twice."""
    for name in found:
        if len(name) > MAX_NAME_LENGTH or not name.isprintable():
            raise CheckpointError(
                f"{path.name} has a tensor with an unusable name ({name[:40]!r}). The file is "
                "damaged; download it again."
            )
        if name in others:
            raise CheckpointError(
                f"{path.name} holds {name}, which another part of the model holds too. "
                "Download the folder again."
            )


def _meta_tensors(entries: dict[str, Entry]) -> dict[str, Tensor]:
    return {
        name: torch.empty(entry.shape, dtype=entry.dtype, device="meta")
        for name, entry in entries.items()
    }


def _read_all(path: Path, entries: dict[str, Entry]) -> dict[str, Tensor]:
    with path.open("rb", buffering=0) as file:
        return {name: read_tensor(file, entry) for name, entry in entries.items()}


def _common_prefix(tensors: dict[str, Tensor]) -> str:
    """The prefix that wrappers put before every key, such as ``"module.model."``; may be empty."""
    prefix = ""
    while tensors:
        more = next(
            (p for p in WRAPPER_PREFIXES if all(name.startswith(prefix + p) for name in tensors)),
            None,
        )
        if more is None:
            break
        prefix += more
    return prefix
