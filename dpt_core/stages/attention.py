"""Attention of one block, computed again beside the forward pass from the queries and keys.

The network uses fused attention, which never has the weights in memory. What it read is
known from hooks: the output of `qkv`, and the bias and mask that `attn` was called with.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..capture import capture
from ..depth.encoders.swin import WindowAttention
from ..layers.attention import Attention
from .blocks import Point, cell_at, to_cpu

Source = Literal["point", "average", "cls"]
Grid = tuple[int, int]

ROWS = 256  # queries at a time: 24 heads of 5477 tokens would be 2.9 GB at once


@contextmanager
def read_attention(attn: nn.Module, read: Callable[..., Any]) -> Iterator[list[Any]]:
    """Collect ``read(attn, qkv, *inputs)`` each time that an attention layer runs.

    Args:
        attn: an `Attention` or a `WindowAttention`.
        read: gets the layer, what its `qkv` returned, and what it was called with.
    """
    results: list[Any] = []

    def hook(module: nn.Module, inputs: Any, _output: Any) -> None:
        results.append(read(module, seen.pop("qkv"), *inputs))

    with capture(attn, ["qkv"]) as seen:
        handle = attn.register_forward_hook(hook)
        try:
            yield results
        finally:
            handle.remove()


def attention_of_tokens(
    attn: Attention,
    qkv: Tensor,
    _x: Tensor,
    bias: Tensor | None = None,
    *,
    grid: Grid,
    source: Source,
    point: Point,
) -> Tensor:
    """How much a token attends to every patch, by head: B×heads×rows×columns on the CPU.

    Args:
        attn: the layer.
        qkv: its queries, keys and values, B×(1+N)×3C.
        bias: added to the logits, broadcast to B×heads×(1+N)×(1+N); or None.
        grid: rows and columns of the N patches.
        source: whose attention: that of the patch at `point`, of the cls token, or the
            average over all patches.
        point: x and y in 0 to 1.

    Returns:
        Weights that sum to 1 together with the one on the cls token, which has no place
        in the picture.
    """
    batch, count, _ = qkv.shape
    query, key, _value = (
        qkv.float().view(batch, count, 3, attn.heads, -1).permute(2, 0, 3, 1, 4).unbind()
    )
    query = query / math.sqrt(query.shape[-1])

    def rows(start: int, end: int) -> Tensor:
        logits = query[:, :, start:end] @ key.transpose(-2, -1)
        if bias is not None:
            logits += bias[..., start:end, :].float()
        return logits.softmax(dim=-1)

    if source == "average":
        weights = qkv.new_zeros(batch, attn.heads, count, dtype=torch.float32)
        for start in range(1, count, ROWS):
            weights += rows(start, min(start + ROWS, count)).sum(dim=2)
        weights /= count - 1
    else:
        row, column = cell_at(point, grid)
        index = 0 if source == "cls" else 1 + row * grid[1] + column
        weights = rows(index, index + 1)[:, :, 0]
    return to_cpu(weights[:, :, 1:].unflatten(2, grid))


def bias_of_tokens(
    attn: Attention,
    _qkv: Tensor,
    _x: Tensor,
    bias: Tensor | None = None,
    *,
    grid: Grid,
    point: Point,
) -> Tensor:
    """The relative position bias that the patch at `point` adds: 1×heads×rows×columns."""
    assert bias is not None
    row, column = cell_at(point, grid)
    return to_cpu(bias[:1, :, 1 + row * grid[1] + column, 1:].unflatten(2, grid))


def attention_in_windows(
    attn: WindowAttention,
    qkv: Tensor,
    windows: Tensor,
    bias: Tensor,
    mask: Tensor | None,
    *,
    source: Source,
    point: Point,
) -> Tensor:
    """As `attention_of_tokens`, of a layer whose tokens see their own window only.

    Args:
        attn: the layer.
        qkv: B×n×n×L×3C for n×n windows of L tokens.
        windows: B×n×n×L×C, the layer's input.
        bias: heads×L×L.
        mask: 2×2×L×L where the windows are shifted, else None.
        source: ``"point"`` or ``"average"``; Swin has no cls token.
        point: x and y in 0 to 1.

    Returns:
        B×heads×rows×columns; outside the window of the point NaN.
    """
    count, length = windows.shape[1], windows.shape[3]
    query, key, _value = qkv.float().unflatten(-1, (3, attn.heads, -1)).movedim(-3, 0).unbind()
    query, key, factor = attn.scale(query.transpose(-3, -2), key.transpose(-3, -2))
    factor = 1 / math.sqrt(query.shape[-1]) if factor is None else factor

    def weights(row: int, column: int, rows: slice) -> Tensor:
        """B×heads×rows×L of one window."""
        added = bias.float()
        if mask is not None:
            added = added + mask[int(row == count - 1), int(column == count - 1)]
        logits = query[:, row, column, :, rows] @ key[:, row, column].transpose(-2, -1) * factor
        return (logits + added[:, rows]).softmax(dim=-1)

    if source == "point":
        where = _Window.at(point, count, length, shifted=mask is not None)
        line = weights(where.row, where.column, slice(where.index, where.index + 1))[:, :, 0]
        return to_cpu(where.place(line))
    means = [
        torch.stack([weights(r, c, slice(None)).mean(dim=2) for c in range(count)], dim=2)
        for r in range(count)
    ]
    side = math.isqrt(length)
    whole = torch.stack(means, dim=2).unflatten(-1, (side, side))  # B×heads×n×n×side×side
    whole = whole.transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return to_cpu(_shift_back(whole, side, shifted=mask is not None))


def bias_in_window(
    attn: WindowAttention,
    _qkv: Tensor,
    windows: Tensor,
    bias: Tensor,
    mask: Tensor | None,
    *,
    point: Point,
) -> Tensor:
    """The position bias that the token at `point` adds: 1×heads×rows×columns, outside NaN."""
    where = _Window.at(point, windows.shape[1], windows.shape[3], shifted=mask is not None)
    return to_cpu(where.place(bias[None, :, where.index].float()))


class _Window:
    """A token's window, counted after the shift."""

    def __init__(self, row: int, column: int, side: int, count: int, shifted: bool) -> None:
        self.row, self.column = row // side, column // side
        self.index = row % side * side + column % side
        self.side, self.count, self.shifted = side, count, shifted

    @classmethod
    def at(cls, point: Point, count: int, length: int, shifted: bool) -> "_Window":
        side = math.isqrt(length)
        total = count * side
        shift = side // 2 if shifted else 0
        row, column = cell_at(point, (total, total))
        return cls((row - shift) % total, (column - shift) % total, side, count, shifted)

    def place(self, line: Tensor) -> Tensor:
        """B×heads×L values of this window's tokens → the whole map, NaN elsewhere."""
        side = self.side
        whole = line.new_full((*line.shape[:2], side * self.count, side * self.count), torch.nan)
        top, left = self.row * side, self.column * side
        whole[:, :, top : top + side, left : left + side] = line.unflatten(2, (side, side))
        return _shift_back(whole, side, self.shifted)


def _shift_back(whole: Tensor, side: int, shifted: bool) -> Tensor:
    shift = side // 2 if shifted else 0
    return whole.roll((shift, shift), dims=(-2, -1))


def attention_reader(
    attn: nn.Module, grid: Grid, source: Source, point: Point
) -> Callable[..., Tensor]:
    """The function for `read_attention` that reads this kind of layer.

    Raises:
        ValueError: the layer has no such source.
    """
    cell_at(point, grid)
    if isinstance(attn, WindowAttention):
        if source == "cls":
            raise ValueError(
                "Swin has no cls token to take attention from; choose a point or the average."
            )
        return partial(attention_in_windows, source=source, point=point)
    return partial(attention_of_tokens, grid=grid, source=source, point=point)


def bias_reader(attn: nn.Module, grid: Grid, point: Point) -> Callable[..., Tensor]:
    """The function for `read_attention` that reads this kind of layer's position bias."""
    if isinstance(attn, WindowAttention):
        return partial(bias_in_window, point=point)
    return partial(bias_of_tokens, grid=grid, point=point)
