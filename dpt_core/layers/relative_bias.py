"""Relative position biases: what attention adds for the offset between two tokens."""

from collections.abc import Callable, Hashable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .positions import Grid

CACHE_BYTES = 256 * 2**20


class BiasCache:
    """Biases of all blocks for one setting (grid, device, dtype), as many as fit.

    A bias is the same for every image of one size, and is as large as the attention matrix.
    Those that do not fit are made anew each time; another setting drops all.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self.limit = limit
        self.bytes = 0
        self._setting: Hashable = None
        self._kept: dict[Hashable, Tensor] = {}

    def get(self, name: Hashable, setting: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """The bias `name` under `setting`, made by `make` if it is not kept."""
        if setting != self._setting:
            self.clear()
            self._setting = setting
        bias = self._kept.get(name)
        if bias is None:
            bias = make()
            if self.bytes + bias.nbytes <= self.limit:
                self._kept[name] = bias
                self.bytes += bias.nbytes
        return bias

    def clear(self) -> None:
        """Forget everything and free its memory."""
        self._kept.clear()
        self._setting = None
        self.bytes = 0


def by_offset(table: Tensor, grid: Grid) -> Tensor:
    """heads×(2r−1)×(2c−1) values by offset → heads×N×N for the r×c = N tokens of a grid.

    Entry (i, j) is the table's at row_i − row_j + r − 1 and column_i − column_j + c − 1: a
    sliding window over the table, so nothing is looked up by index.
    """
    rows, columns = grid
    windows = table.unfold(1, rows, 1).unfold(2, columns, 1)
    return windows.flip(3, 4).reshape(len(table), rows * columns, rows * columns)


class RelativeBias(nn.Module):
    """BEiT's table of biases for one block (arXiv:2106.08254), resampled as MiDaS v3.1 does.

    The table holds a row for every offset within the trained grid, and three for the cls
    token: cls → token, token → cls, cls → cls.
    """

    def __init__(self, heads: int, grid: Grid) -> None:
        super().__init__()
        self.trained = (2 * grid[0] - 1, 2 * grid[1] - 1)
        rows = self.trained[0] * self.trained[1] + 3
        self.table = nn.Parameter(torch.empty(rows, heads))

    def forward(self, grid: Grid, x: Tensor) -> Tensor:
        """heads×(1+N)×(1+N), for tokens like `x` on a grid; resampled in float32."""
        table = self.table.to(x.device, torch.float32)
        heads = table.shape[1]
        offsets = table[:-3].T.reshape(1, heads, *self.trained)
        size = (2 * grid[0] - 1, 2 * grid[1] - 1)
        if size != self.trained:
            offsets = F.interpolate(offsets, size=size, mode="bilinear", align_corners=False)
        count = 1 + grid[0] * grid[1]
        bias = x.new_empty(heads, count, count)
        bias[:, 1:, 1:] = by_offset(offsets[0], grid)
        bias[:, 0, 1:] = table[-3, :, None]
        bias[:, 1:, 0] = table[-2, :, None]
        bias[:, 0, 0] = table[-1]
        return bias
