"""Building blocks that depth and segmentation share.

Layers are taken from an ``ops`` namespace, so that a host can hand in layers that move or cast
their weights at use. Bare parameters follow their input at use, for the same reason.
"""

from typing import Any

from torch import Tensor

# A namespace with Linear, Conv2d, ConvTranspose2d, LayerNorm and GroupNorm as torch.nn has them.
# It may have `scaled_dot_product_attention` and `channels_last` too, as `cpu` does.
Ops = Any


def keep_memory_format(x: Tensor) -> Tensor:
    """The memory layout of who has no other: `Ops.channels_last` where a namespace lacks it."""
    return x
