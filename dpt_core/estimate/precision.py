"""Find depth that half precision lost, and run the network again in float32."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def find_degenerate(depth: Tensor) -> list[int]:
    """Indices of images in B×H×W whose depth is NaN or infinite anywhere, or all equal."""
    low, high = depth.flatten(1).float().aminmax(dim=1)
    spread = high - low  # NaN where a value is NaN or both ends are infinite
    return (~(spread.isfinite() & (spread > 0))).nonzero().flatten().tolist()


@contextmanager
def in_float32(net: nn.Module, dtype: torch.dtype, casts_weights: bool) -> Iterator[None]:
    """Let a network with half-precision weights run on float32 input; restores its weights."""
    if casts_weights:
        yield
        return
    try:
        net.float()  # inside `try`, since memory may run out halfway
        yield
    finally:
        net.to(dtype)
