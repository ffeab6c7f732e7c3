"""PyTorch's own files (.pt, .pth, .bin, .ckpt), read by its restricted loader.

The restricted loader (``weights_only=True``) builds tensors and plain containers and
refuses everything else, so no code from a file can run.
"""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError

# Where training scripts put the weights when they save more than the weights.
NESTING = ("state_dict", "model_state_dict", "model", "model_ema", "ema", "net", "params")


def read_pickle(path: Path, mapped: bool) -> dict[str, Tensor]:
    """The state dict in a PyTorch file; `mapped` touches only what is looked at.

    Raises:
        CheckpointError: the file is damaged, holds anything but data, or holds no weights.
    """
    is_zip = zipfile.is_zipfile(path)
    if is_zip:
        _refuse_compressed(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped and is_zip)
    except pickle.UnpicklingError as error:
        raise _refused(path, error) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        if isinstance(error, OSError) and not path.exists():
            raise
        raise CheckpointError(
            f"{path.name} ({path.stat().st_size:,} bytes) is not a complete PyTorch file: the "
            "download did not finish or the file is damaged. Download it again."
        ) from error
    tensors = _find_state_dict(content)
    if tensors is None:
        raise CheckpointError(
            f"{path.name} is a PyTorch file without a state dict: it holds "
            f"{_describe(content)}. Save the model's state_dict() and load that."
        )
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.is_quantized:
            raise CheckpointError(
                f"{path.name} stores {name!r} as a sparse or quantised tensor; plain weights "
                "were expected. Use an unquantised version of the file."
            )
        if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
            raise CheckpointError(
                f"{path.name} claims more values for {name!r} than it stores "
                f"({tuple(tensor.shape)}): the file is damaged. Download it again."
            )
    return tensors


def _find_state_dict(content: Any) -> dict[str, Tensor] | None:
    """The outermost mapping that holds tensors by name, looking through known wrappers."""
    for _ in range(4):
        if not isinstance(content, Mapping):
            return None
        tensors = {k: v for k, v in content.items() if isinstance(k, str) and _is_tensor(v)}
        if tensors:
            return tensors
        content = next((content[key] for key in NESTING if key in content), None)
    return None


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _refuse_compressed(path: Path) -> None:
    # PyTorch stores its records as they are. A compressed record is no PyTorch file, and
    # may be made to unpack to more memory than any machine has.
    with zipfile.ZipFile(path) as archive:
        for record in archive.infolist():
            if record.compress_type != zipfile.ZIP_STORED:
                raise CheckpointError(
                    f"{path.name} is a compressed archive, not a PyTorch file. Unpack it and "
                    "load the checkpoint inside."
                )


def _refused(path: Path, error: pickle.UnpicklingError) -> CheckpointError:
    text = str(error)
    _, found, rest = text.partition("GLOBAL ")
    name = rest.split()[0].rstrip(".,") if found else ""
    if name:
        return CheckpointError(
            f"{path.name} was not loaded because it asks to run code ({name}) and only plain "
            "weights are read. Use a .safetensors version of the model, or save its "
            "state_dict() from a source you trust."
        )
    return CheckpointError(
        f"{path.name} is not a PyTorch file that can be read as plain weights. Download it "
        "again, or use a .safetensors version of the model."
    )


def _describe(content: Any) -> str:
    if isinstance(content, Mapping):
        keys = ", ".join(repr(key) for key in list(content)[:5])
        return f"a dictionary with {keys}" if keys else "an empty dictionary"
    return f"a {type(content).__name__}"
