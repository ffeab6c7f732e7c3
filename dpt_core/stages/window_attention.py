"""The same for Swin, whose tokens attend only to the tokens of their own window."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..depth.encoders.swin import WindowAttention
from .grid import Point, point_to_cell


def window_attention(
    attn: WindowAttention,
    qkv: Tensor,
    windows: Tensor,
    bias: Tensor,
    mask: Tensor | None,
    *,
    average: bool,
    point: Point,
) -> Tensor:
    """How much a token attends to every token, by head: B×heads×rows×columns on the CPU.

    Args:
        attn: the layer.
        qkv: B×n×n×L×3C for n×n windows of L tokens.
        windows: B×n×n×L×C, the layer's input.
        bias: heads×L×L.
        mask: 2×2×L×L where the windows are shifted, else None.
        average: of all tokens of each window, instead of the token at `point`.
        point: x and y in 0 to 1.

    Returns:
        Weights that sum to 1 in each window; NaN outside the window of the point.
    """
    count, length = windows.shape[1], windows.shape[3]
    queries, keys, _values = qkv.float().unflatten(-1, (3, attn.heads, -1)).movedim(-3, 0).unbind()
    queries, keys, factor = attn.scale(queries.transpose(-3, -2), keys.transpose(-3, -2))
    factor = 1 / math.sqrt(queries.shape[-1]) if factor is None else factor

    def weights_of(row: int, column: int, tokens: slice) -> Tensor:
        """B×heads×tokens×L of one window."""
        added = bias.float()
        if mask is not None:
            added = added + mask[int(row == count - 1), int(column == count - 1)]
        logits = queries[:, row, column, :, tokens] @ keys[:, row, column].transpose(-2, -1)
        return (logits * factor + added[:, tokens]).softmax(dim=-1)

    is_shifted = mask is not None
    if not average:
        token = _Token.at(point, count, length, is_shifted)
        index = slice(token.index, token.index + 1)
        return token.fill_window(weights_of(token.row, token.column, index)[:, :, 0]).cpu()
    means = [
        torch.stack([weights_of(r, c, slice(None)).mean(dim=2) for c in range(count)], dim=2)
        for r in range(count)
    ]
    side = math.isqrt(length)
    whole = torch.stack(means, dim=2).unflatten(-1, (side, side))  # B×heads×n×n×side×side
    whole = whole.transpose(3, 4).flatten(4, 5).flatten(2, 3)  # B×heads×rows×columns
    return _undo_shift(whole, side, is_shifted).cpu()


def window_bias(
    attn: WindowAttention,
    _qkv: Tensor,
    windows: Tensor,
    bias: Tensor,
    mask: Tensor | None,
    *,
    point: Point,
) -> Tensor:
    """The position bias of the token at `point`: 1×heads×rows×columns, NaN outside its window."""
    token = _Token.at(point, windows.shape[1], windows.shape[3], is_shifted=mask is not None)
    return token.fill_window(bias[None, :, token.index].float()).cpu()


@dataclass(frozen=True)
class _Token:
    """A token in its window.

    Attributes:
        row, column: of the window among all windows, after the shift.
        index: of the token in the window.
        side: of a window, in tokens.
        count: windows in a row or column.
        is_shifted: whether the map is shifted by half a window.
    """

    row: int
    column: int
    index: int
    side: int
    count: int
    is_shifted: bool

    @classmethod
    def at(cls, point: Point, count: int, length: int, is_shifted: bool) -> "_Token":
        """The token at a point, in count×count windows of `length` tokens."""
        side = math.isqrt(length)
        total = count * side
        shift = side // 2 if is_shifted else 0
        row, column = ((cell - shift) % total for cell in point_to_cell(point, (total, total)))
        index = row % side * side + column % side
        return cls(row // side, column // side, index, side, count, is_shifted)

    def fill_window(self, values: Tensor) -> Tensor:
        """B×heads×L values of this window's tokens → B×heads×rows×columns, NaN elsewhere."""
        side = self.side
        total = side * self.count
        whole = values.new_full((*values.shape[:2], total, total), torch.nan)
        top, left = self.row * side, self.column * side
        whole[:, :, top : top + side, left : left + side] = values.unflatten(2, (side, side))
        return _undo_shift(whole, side, self.is_shifted)


def _undo_shift(whole: Tensor, side: int, is_shifted: bool) -> Tensor:
    shift = side // 2 if is_shifted else 0
    return whole.roll((shift, shift), dims=(-2, -1))
