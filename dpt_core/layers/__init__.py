"""Building blocks that depth and segmentation share.

Layers come from an ``ops`` namespace, so that a host can pass in layers that move or cast their
weights on use. Bare parameters follow their input for the same reason.
"""

from typing import Any

from torch import Tensor

# A namespace with torch.nn's Linear, Conv2d, ConvTranspose2d, LayerNorm and GroupNorm, or layers
# like them. It may also have `scaled_dot_product_attention` and `channels_last`, as `cpu` does.
Ops = Any


def keep_memory_format(x: Tensor) -> Tensor:
    """Return a map unchanged: used where a namespace has no `channels_last`."""
    return x
