"""Resize maps with the settings of the official code."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def resize_map(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize B×C×H×W bilinearly with aligned corners, as the decoder of every DPT model does."""
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


class ResizedRows:
    """Rows `top` to `bottom` (exclusive) of a map that is resized from `height` to `resized` rows.

    Attributes:
        first, last: the rows of the original map that they are made of, both included.
    """

    def __init__(self, height: int, resized: int, top: int, bottom: int) -> None:
        # In NumPy, so that they are constants of an exported network; in float32 like PyTorch.
        step = np.float32((height - 1) / max(1, resized - 1))
        positions = np.arange(top, bottom, dtype=np.float32) * step
        low = np.minimum(positions.astype(np.int64), height - 1)
        self.first, self.last = int(low[0]), min(int(low[-1]) + 1, height - 1)
        self.low = torch.from_numpy(low - self.first)  # counted from `first`
        self.share = torch.from_numpy(positions - low.astype(np.float32))  # of the row below it

    def resize(self, x: Tensor, width: int) -> Tensor:
        """Rows `first` to `last` of the original map, B×C×h×w → B×C×rows×width.

        Equal to the rows of `resize_map` up to rounding.
        """
        low = self.low.to(x.device)
        share = self.share.to(x).view(-1, 1, 1)
        by_row = x.permute(0, 2, 3, 1)  # selects whole rows of pixels and keeps the memory order
        rows = by_row.index_select(1, low)
        rows = rows.lerp(by_row.index_select(1, (low + 1).clamp_max(x.shape[-2] - 1)), share)
        return resize_map(rows.permute(0, 3, 1, 2), (len(low), width))
