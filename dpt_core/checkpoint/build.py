"""From converted weights to a network: what every kind of model needs on that way."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..errors import CheckpointError
from .shapes import format_shape

Net = TypeVar("Net", bound=nn.Module)


def common_dtype(tensors: Mapping[str, Tensor], file: str) -> str:
    """The number format of most of a file, ``"float32"``, ``"float16"``, …

    Raises:
        CheckpointError: weights are stored as integers.
    """
    counts: Counter[torch.dtype] = Counter()
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            counts[tensor.dtype] += tensor.numel()
        elif tensor.numel() > 1 and name.endswith(".weight"):
            raise CheckpointError(
                f"{file} stores {name} as {str(tensor.dtype).removeprefix('torch.')}: it is "
                "quantised. Use a float32, float16 or bfloat16 version of the file."
            )
    return str(counts.most_common(1)[0][0]).removeprefix("torch.") if counts else "float32"


def check_shapes(
    tensors: Mapping[str, Tensor],
    origin: Mapping[str, str],
    make: Callable[[], nn.Module],
    file: str,
) -> None:
    """Compare every weight with those of the network that `make` builds (on the meta device).

    Raises:
        CheckpointError: a weight is unknown, missing or of another shape.
    """
    with torch.device("meta"):
        wanted = make().state_dict()
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


def move_weights(
    tensors: dict[str, Tensor], device: torch.device | str, dtype: torch.dtype
) -> None:
    """Change where and in what format the weights are, in place."""
    for name in list(tensors):
        # One at a time, so that memory holds the weights once and not twice.
        tensors[name] = tensors[name].to(device, dtype)


def not_finite(
    tensors: Mapping[str, Tensor], origin: Mapping[str, str], file: str, result: str
) -> list[str]:
    """A sentence for every weight with NaN or infinite values; `result` is what suffers."""
    return [
        f"{file} has NaN or infinite values in {origin[name]}; its {result} may be empty. "
        "Download the file again."
        for name, tensor in tensors.items()
        if not torch.isfinite(tensor.sum(dtype=torch.float32))
    ]


def assemble(make: Callable[[], Net], tensors: Mapping[str, Tensor]) -> Net:
    """The network with the file's weights in it: nothing initialised, nothing copied."""
    with torch.device("meta"):
        net = make()
    net.load_state_dict(tensors, strict=True, assign=True)
    return net.eval().requires_grad_(False)
