"""Building blocks that depth and segmentation share.

Layers are taken from an ``ops`` namespace (that of `default`, or ``torch.nn``), so that a host can
hand in layers that move or cast their weights at use. Bare parameters follow their input
at use, for the same reason.
"""

from typing import Any

Ops = Any  # a namespace with Linear, Conv2d, ConvTranspose2d, LayerNorm and GroupNorm
