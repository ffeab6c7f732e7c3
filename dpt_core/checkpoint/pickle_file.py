"""PyTorch's own files (.pt, .pth, .bin, .ckpt), read by its restricted loader.

The restricted loader (``weights_only=True``) builds tensors and plain containers and
refuses everything else, so no code from a file can run. It trusts the sizes in a file, however:
a file that would take far more memory than its own size is refused before or after loading.
"""

import pickle
import pickletools
import struct
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from os import SEEK_CUR
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from ..errors import CheckpointError, cut_off
from .published import PUBLISHED
from .shapes import format_shape

# Keys under which training scripts put the weights when they save more than those.
WRAPPER_KEYS = (
    "state_dict",
    "model_state_dict",
    "model_weights",
    "model",
    "model_ema",
    "ema_state_dict",
    "ema",
    "net",
    "network",
    "module",
    "params_ema",
    "params",
    "weights",
)
MAX_NESTING = 4
ZIP_MAGIC = b"PK\x03\x04"
# Raised by the loaders of archives and pickles on damaged bytes, which they hardly check.
DAMAGE_ERRORS = (
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    OSError,
    struct.error,
    zipfile.BadZipFile,
)


def read_pickle(path: Path, mapped: bool) -> dict[str, Tensor]:
    """Read the state dict in a PyTorch file; `mapped` reads only the tensors that are used.

    Raises:
        CheckpointError: the file is damaged, holds anything but data, or holds no weights.
    """
    size = path.stat().st_size
    try:
        is_archive = _check_globals_and_size(path, size)
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=mapped and is_archive
        )
    except pickle.UnpicklingError as error:
        raise _refusal(path, str(error)) from error
    except CheckpointError:
        raise
    except DAMAGE_ERRORS as error:
        if isinstance(error, OSError) and not path.exists():
            raise
        raise _incomplete(path, size) from error
    tensors = _find_state_dict(content)
    if tensors is None:
        raise CheckpointError(
            f"{path.name} is a PyTorch file without a state dict: it holds "
            f"{_describe(content)}. Save the model's state_dict() and load that."
        )
    _check_tensors(path, tensors, size)
    return tensors


def _find_state_dict(content: Any, depth: int = MAX_NESTING) -> dict[str, Tensor] | None:
    """The tensors by name in what a training script saved, without known wrappers.

    Wrappers come first: a script may save single tensors (a loss, a random state) beside
    the model.
    """
    if depth == 0 or not isinstance(content, Mapping):
        return None
    for key in WRAPPER_KEYS:
        if key in content and (found := _find_state_dict(content[key], depth - 1)):
            return found
    # Detached, they are plain tensors, without any attributes from the pickle.
    return {
        name: Tensor.detach(tensor)
        for name, tensor in content.items()
        if isinstance(name, str) and isinstance(tensor, Tensor)
    } or None


def _check_globals_and_size(path: Path, size: int) -> bool:
    """Whether the file is an archive; refuse one that would take more memory than its size."""
    with path.open("rb") as file:
        is_archive = file.read(4) == ZIP_MAGIC
        file.seek(0)
        names = set() if is_archive else set(_globals(file))
    if is_archive:
        with zipfile.ZipFile(path) as archive:
            record = _check_archive(path, archive, size)
            # Read in full, so that its checksum is verified: PyTorch does not do that.
            names = set(_globals(BytesIO(archive.read(record))))
    for name in names:
        if name.endswith(" bytearray"):  # the loader would allocate any length
            raise _refusal(path, f"GLOBAL {name.replace(' ', '.')}")
    return is_archive


def _check_archive(path: Path, archive: zipfile.ZipFile, size: int) -> zipfile.ZipInfo:
    """The record of the pickle in a PyTorch archive, after a check of all records."""
    records = archive.infolist()
    names = [record.filename for record in records]
    pickles = [record for record in records if record.filename.split("/")[1:] == ["data.pkl"]]
    if any(name.endswith("/constants.pkl") for name in names):
        raise CheckpointError(
            f"{path.name} is a TorchScript program, not plain weights. Use the model's ordinary "
            "checkpoint (.safetensors, .pth or .pt)."
        )
    if not pickles:
        raise CheckpointError(
            f"{path.name} is an archive that holds {_list_names(names)}, not a PyTorch file. "
            "Unpack it and choose the checkpoint inside."
        )
    # PyTorch does not compress its records. A compressed one can be crafted to unpack to more
    # memory than any machine has, and so can many that share the same bytes.
    packed = any(record.compress_type != zipfile.ZIP_STORED for record in records)
    places = {record.header_offset for record in records}
    if packed or len(places) < len(records) or sum(r.file_size for r in records) > size:
        raise CheckpointError(
            f"{path.name} is a packed archive, not a file that PyTorch wrote. Unpack it if a "
            "checkpoint is inside, or download the checkpoint again."
        )
    if pickles[0].CRC == 0:
        del pickles[0].CRC  # written without checksums: there is nothing to verify
    return pickles[0]


def _globals(stream: IO[bytes]) -> Iterator[str]:
    """Yield ``"module name"`` of every object that a file's pickles refer to, building none."""
    for _ in range(5):  # an archive has one pickle; PyTorch's older format begins with five
        if not stream.read(1):
            return
        stream.seek(-1, SEEK_CUR)
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "GLOBAL":
                yield str(argument)


def _check_tensors(path: Path, tensors: Mapping[str, Tensor], size: int) -> None:
    """Refuse tensors that are not plain, or that claim more data than the file holds."""
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested:
            raise CheckpointError(
                f"{path.name} stores {name!r} as a sparse or quantised tensor, where plain "
                "weights were expected. Use an unquantised version of the file."
            )
        values = tensor.numel() * tensor.element_size()
        if tensor.is_meta or values > min(size, tensor.untyped_storage().nbytes()):
            raise CheckpointError(
                f"{path.name} claims more values for {name!r} ({format_shape(tensor.shape)}) "
                "than it stores. The file is damaged; download it again."
            )
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) > 2 * size:
        raise CheckpointError(
            f"{path.name} claims more values for its {len(tensors):,} tensors than it stores. "
            "The file is damaged; download it again."
        )


def _refusal(path: Path, reason: str) -> CheckpointError:
    _, found, rest = reason.partition("GLOBAL ")
    name = rest.split()[0].rstrip(".,") if found and rest.split() else ""
    if name:
        return CheckpointError(
            f"{path.name} was not loaded: it asks for {name:.80}, but only plain weights are "
            "read, because anything else could run code or fill the memory. Use a .safetensors "
            "version of the model, or save its state_dict() from a source that you trust."
        )
    return CheckpointError(
        f"{path.name} is not a PyTorch file that can be read as plain weights. Download it "
        "again, or use a .safetensors version of the model."
    )


def _incomplete(path: Path, size: int) -> CheckpointError:
    """The error for a damaged file; the size of a published one shows whether it is cut off."""
    published = next((known.size for known in PUBLISHED if known.name == path.name), 0)
    if size < published:
        return cut_off(path.name, size, published)
    return CheckpointError(
        f"{path.name} ({size:,} bytes) is not a complete PyTorch file: the download did not "
        "finish or the file is damaged. Download it again."
    )


def _describe(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    if not content:
        return "an empty dictionary"
    return f"a dictionary with {_list_names([key for key in content if isinstance(key, str)])}"


def _list_names(names: list[str]) -> str:
    shown = ", ".join(f"{name[:60]!r}" for name in names[:5]) or "nothing that has a name"
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5:,} more"
