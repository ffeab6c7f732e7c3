"""What half precision loses, and the second run in float32 that gets it back."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def find_degenerate(depth: Tensor) -> list[int]:
    """The images of B×H×W whose depth is NaN or infinite somewhere, or the same everywhere."""
    low, high = depth.flatten(1).float().aminmax(dim=1)
    spread = high - low  # NaN where a value is NaN or both ends are infinite
    return (~(spread.isfinite() & (spread > 0))).nonzero().flatten().tolist()


@contextmanager
def in_float32(net: nn.Module, dtype: torch.dtype, casts_weights: bool) -> Iterator[None]:
    """Run a network of half-precision weights on float32 input; they come back as they were."""
    if casts_weights:
        yield
        return
    try:
        net.float()  # in here, since memory may run out on the way
        yield
    finally:
        net.to(dtype)
