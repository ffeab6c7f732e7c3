"""Relative position biases: what attention adds for the offset between two tokens."""

from collections.abc import Callable, Hashable
from functools import partial
from typing import NamedTuple
from weakref import WeakKeyDictionary, ref

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .positions import Grid

CACHE_BYTES = 256 * 2**20
MakeOffsets = Callable[[], Tensor]  # → heads×(2r−1)×(2c−1)
Expand = Callable[[Tensor], Tensor]  # heads×(2r−1)×(2c−1) → heads×N×N


class BiasCache:
    """The last bias of each module, as many as fit into `limit` bytes.

    A bias is the same for every image of one size, and as large as the attention matrix. A CPU
    expands the values by offset as fast as it would read a bias from memory, so there only the
    values are kept. The cache lives outside the modules, so that it is neither saved nor copied
    with them, and drops a bias when the weights change.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self.limit = limit
        self._entries: WeakKeyDictionary[nn.Module, _Entry] = WeakKeyDictionary()

    @property
    def bytes(self) -> int:
        """The memory in use."""
        return sum(entry.kept.nbytes for entry in list(self._entries.values()))

    def get(
        self, module: nn.Module, setting: Hashable, offsets: MakeOffsets, expand: Expand
    ) -> Tensor:
        """The bias of a module, heads×N×N: what `expand` makes of `offsets()`.

        Args:
            module: its weights and `setting` must determine the bias.
            setting: grid, device and dtype.
            offsets, expand: the two steps that make the bias.
        """
        weights = list(module.parameters())
        if torch.is_grad_enabled() and any(weight.requires_grad for weight in weights):
            return expand(offsets())  # a cached one would have no gradient, or an old one
        versions = [_version(weight) for weight in weights]
        entry = self._entries.get(module)
        if entry is None or not entry.holds_for(setting, weights, versions):
            kept = offsets()
            if not kept.is_cpu:
                kept = expand(kept)
            entry = _Entry(setting, [ref(weight) for weight in weights], versions, kept)
            self._entries.pop(module, None)
            if self.bytes + kept.nbytes <= self.limit:
                self._entries[module] = entry
        return expand(entry.kept) if entry.kept.is_cpu else entry.kept

    def clear(self) -> None:
        """Drop all biases and free their memory."""
        self._entries.clear()


class _Entry(NamedTuple):
    setting: Hashable
    weights: "list[ref[nn.Parameter]]"
    versions: list[int]
    kept: Tensor

    def holds_for(
        self, setting: Hashable, weights: list[nn.Parameter], versions: list[int]
    ) -> bool:
        same = len(weights) == len(self.weights) and all(
            old() is new for old, new in zip(self.weights, weights, strict=True)
        )
        return same and self.setting == setting and self.versions == versions


def _version(weight: Tensor) -> int:
    """How often a weight was modified; one made in inference mode cannot be."""
    return 0 if weight.is_inference() else weight._version


BIASES = BiasCache()  # shared by all networks


def expand_offsets(offsets: Tensor, grid: Grid, cls: Tensor | None = None) -> Tensor:
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
    # heads×(2r−1)×c×c, by row_j − row_i + r − 1, column_i and column_j: small enough for the
    # processor's cache, and the queries of one row are a slice of it.
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

    def forward(self, grid: Grid, x: Tensor) -> Tensor:
        """The bias heads×(1+N)×(1+N) for tokens like `x`: a cls token, then the N of a grid."""
        offsets, expand = partial(self.offsets, grid, x), partial(self.expand, grid)
        return BIASES.get(self, (grid, x.device, x.dtype), offsets, expand)

    def offsets(self, grid: Grid, x: Tensor) -> Tensor:
        """Values heads×(2r−1)×(2c−1) for tokens like `x` on a grid of r×c, resampled in float32."""
        table = self.table[:-3].to(x.device, torch.float32)
        offsets = table.T.reshape(1, -1, *self.trained)
        size = (2 * grid[0] - 1, 2 * grid[1] - 1)
        if size != self.trained:
            offsets = F.interpolate(offsets, size=size, mode="bilinear", align_corners=False)
        return offsets[0].to(x)

    def expand(self, grid: Grid, offsets: Tensor) -> Tensor:
        """The bias heads×(1+N)×(1+N) for a cls token and the N tokens of a grid."""
        return expand_offsets(offsets, grid, self.table[-3:].to(offsets).T)
