"""Relative position biases: what attention adds for the offset between two tokens."""

from collections.abc import Callable, Hashable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .positions import Grid

CACHE_BYTES = 256 * 2**20
MakeOffsets = Callable[[], Tensor]  # → heads×(2r−1)×(2c−1)
Spread = Callable[[Tensor], Tensor]  # heads×(2r−1)×(2c−1) → heads×N×N


class BiasCache:
    """Biases of all blocks for one setting (grid, device, dtype), as many as fit.

    A bias is the same for every image of one size, and is as large as the attention matrix. A
    CPU spreads the values by offset over it as fast as it would read a bias from memory, so
    there only those are kept. Another setting drops all; threads with settings of their own
    only lose what the other has kept.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self.limit = limit
        self._kept: tuple[Hashable, dict[Hashable, Tensor]] = (None, {})

    @property
    def bytes(self) -> int:
        """The memory of all that is kept."""
        return sum(bias.nbytes for bias in list(self._kept[1].values()))

    def get(
        self, name: Hashable, setting: Hashable, offsets: MakeOffsets, spread: Spread
    ) -> Tensor:
        """The bias `name` under `setting`: what `spread` makes of `offsets()`."""
        now = self._kept
        if now[0] != setting:
            now = self._kept = (setting, {})
        kept = now[1].get(name)
        if kept is None:
            kept = offsets()
            if not kept.is_cpu:
                kept = spread(kept)
            if self.bytes + kept.nbytes <= self.limit:
                now[1][name] = kept
        return spread(kept) if kept.is_cpu else kept

    def clear(self) -> None:
        """Forget everything and free its memory."""
        self._kept = (None, {})


def by_offset(offsets: Tensor, grid: Grid, cls: Tensor | None = None) -> Tensor:
    """heads×(2r−1)×(2c−1) values by offset → heads×N×N for the N = r×c tokens of a grid.

    Entry (i, j) is the value at row_i − row_j + r − 1 and column_i − column_j + c − 1.

    Args:
        offsets: the values.
        grid: r and c.
        cls: heads×3, where a cls token comes before the others: the values of cls → token,
            token → cls and cls → cls. N is then 1 + r×c.
    """
    rows, columns = grid
    first = 0 if cls is None else 1
    count = first + rows * columns
    # heads×(2r−1)×c×c, by row_j − row_i + r − 1, column_i and column_j: small and in the
    # processor's cache, and all columns of one row of queries are a part of it.
    lines = offsets.flip(1, 2).unfold(2, columns, 1).flip(2).contiguous()
    bias = offsets.new_empty(len(offsets), count, count)
    for row in range(rows):
        start = first + row * columns
        queries = bias[:, start : start + columns, first:].unflatten(2, grid)
        queries.copy_(lines[:, rows - 1 - row : 2 * rows - 1 - row].transpose(1, 2))
    if cls is not None:
        bias[:, 0, 1:] = cls[:, 0, None]
        bias[:, 1:, 0] = cls[:, 1, None]
        bias[:, 0, 0] = cls[:, 2]
    return bias


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

    def offsets(self, grid: Grid, x: Tensor) -> Tensor:
        """heads×(2r−1)×(2c−1) for tokens like `x` on a grid of r×c; resampled in float32."""
        table = self.table[:-3].to(x.device, torch.float32)
        offsets = table.T.reshape(1, -1, *self.trained)
        size = (2 * grid[0] - 1, 2 * grid[1] - 1)
        if size != self.trained:
            offsets = F.interpolate(offsets, size=size, mode="bilinear", align_corners=False)
        return offsets[0].to(x)

    def spread(self, grid: Grid, offsets: Tensor) -> Tensor:
        """heads×(1+N)×(1+N) for the N tokens of a grid and the cls token before them."""
        return by_offset(offsets, grid, self.table[-3:].to(offsets).T)
