"""Build the network of any kind of model from its converted weights."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..errors import CheckpointError
from .shapes import format_dtype, format_shape

Net = TypeVar("Net", bound=nn.Module)


def main_dtype(tensors: Mapping[str, Tensor]) -> str:
    """The number format of most of a file's weights: ``"float32"``, ``"float16"``, …"""
    counts: Counter[torch.dtype] = Counter()
    for tensor in tensors.values():
        if tensor.is_floating_point():
            counts[tensor.dtype] += tensor.numel()
    return format_dtype(counts.most_common(1)[0][0]) if counts else "float32"


def check_shapes(
    tensors: Mapping[str, Tensor],
    origin: Mapping[str, str],
    make: Callable[[], nn.Module],
    file: str,
) -> None:
    """Compare every weight with the network that `make` builds (on the meta device).

    Args:
        tensors: the weights by converted name.
        origin: the key in the file of each, for messages.
        make: builds the network.
        file: name of the file, for messages.

    Raises:
        CheckpointError: a weight is unknown, missing or of another shape.
    """
    try:
        with torch.device("meta"):
            wanted = make().state_dict()
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{file} has weights whose sizes do not fit together ({error}). The file is "
            "damaged or is another model; use the original checkpoint."
        ) from error
    for name, tensor in tensors.items():
        if name not in wanted:
            raise CheckpointError(
                f"{file} holds {origin[name]}, which a model of its kind and size does not "
                "have. Use the original checkpoint."
            )
        if tensor.shape != wanted[name].shape:
            found, expected = (format_shape(tuple(t.shape)) for t in (tensor, wanted[name]))
            raise CheckpointError(
                f"{file} has a wrong shape for {origin[name]}: {found} where {expected} was "
                "expected. The file is damaged or is another model; use the original "
                "checkpoint."
            )
    missing = [name for name in wanted if name not in tensors]
    if missing:
        raise CheckpointError(
            f"{file} lacks the weights of {missing[0]}. Use the original checkpoint."
        )


def cast_and_check(
    tensors: dict[str, Tensor],
    origin: Mapping[str, str],
    device: torch.device | str,
    dtype: torch.dtype,
    file: str,
    result: str,
) -> list[str]:
    """Move the weights to a device and a number format in place, and check their values.

    Args:
        tensors: the weights by converted name; changed in place.
        origin: the key in the file of each, for messages.
        device, dtype: where to move them, and their new number format.
        file: name of the file, for messages.
        result: what wrong values would spoil, for messages: ``"depth"``.

    Returns:
        A sentence for every weight with values that are not finite, in the file or only
        after the change to a smaller format.
    """
    warnings = []
    for name in list(tensors):
        # One at a time, so that memory holds the weights once and not twice.
        before = tensors.pop(name)
        tensors[name] = before.to(device, dtype)
        if _is_finite(tensors[name]):
            continue
        if _is_finite(before):
            warnings.append(
                f"{file} has values in {origin[name]} that are too large for "
                f"{format_dtype(dtype)}; its {result} may be empty. Choose float32 or bfloat16."
            )
        else:
            warnings.append(
                f"{file} has NaN or infinite values in {origin[name]}; its {result} may be "
                "empty. Download the file again."
            )
    return warnings


def _is_finite(tensor: Tensor) -> bool:
    # The sum is quick and needs no memory, but finite values may add up to infinity.
    if tensor.sum(dtype=torch.float32).isfinite():
        return True
    wide = tensor.float() if tensor.itemsize == 1 else tensor  # float8 has no isfinite
    return bool(wide.isfinite().all())


def assemble(make: Callable[[], Net], tensors: Mapping[str, Tensor]) -> Net:
    """Build the network around the file's weights, without initialising or copying any."""
    with torch.device("meta"):
        net = make()
    net.load_state_dict(tensors, strict=True, assign=True)
    return net.eval().requires_grad_(False)
