"""Images to one embedding map: windowed stages, each ended by a block that sees everything."""

from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import Ops
from ..layers.mlp import MLP
from ..layers.norm import LayerNorm2d
from .config import ImageEncoderConfig

# Bytes of attention bias in memory at once; one head of 64×64 tokens in float32 needs as many.
BIAS_BYTES = 64 * 2**20


class PatchEmbed(nn.Module):
    """B×3×H×W → B×h×w×C: one linear projection per patch."""

    def __init__(self, config: ImageEncoderConfig, ops: Ops) -> None:
        super().__init__()
        patch = config.patch
        self.proj = ops.Conv2d(3, config.width, kernel_size=patch, stride=patch)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).permute(0, 2, 3, 1)


class RelativeAttention(nn.Module):
    """Self-attention over a square map with decomposed relative positions (arXiv:2112.01526).

    What is added to the logit of two tokens is the dot product of the (unscaled) query with
    one vector for their distance in rows, plus that with one for their distance in columns.
    This bias is made for some heads and rows of queries at a time, always in the same
    memory: for all of them it would be as large as the attention matrix, 805 MB for twelve
    heads over 64×64 tokens.
    """

    def __init__(self, width: int, heads: int, side: int, ops: Ops) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = ops.Linear(width, 3 * width)
        self.proj = ops.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.empty(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.empty(2 * side - 1, width // heads))

    def forward(self, x: Tensor) -> Tensor:
        """B×h×w×C → the same; h and w are the side that the tables were made for."""
        batch, rows, columns, width = x.shape
        count = rows * columns
        qkv = self.qkv(x).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        by_row = by_distance(self.rel_pos_h.to(x), rows)
        by_column = by_distance(self.rel_pos_w.to(x), columns)
        mixed = x.new_empty(batch, count, self.heads, width // self.heads)
        size = batch * columns * count  # of the bias of one head and one row of queries
        some_rows = _clamp(BIAS_BYTES // (size * x.element_size()), rows)
        some_heads = _clamp(BIAS_BYTES // (size * x.element_size() * some_rows), self.heads)
        buffer = x.new_empty(some_heads * some_rows * size)
        for head, row in product(range(0, self.heads, some_heads), range(0, rows, some_rows)):
            heads = slice(head, head + some_heads)
            queries = slice(row * columns, (row + some_rows) * columns)
            part = query[:, heads, queries]
            bias = position_bias(part, by_row[row : row + some_rows], by_column, buffer)
            mixed[:, queries, heads] = F.scaled_dot_product_attention(
                part, key[:, heads], value[:, heads], attn_mask=bias
            ).transpose(1, 2)
        return self.proj(mixed.view(batch, rows, columns, width))


def by_distance(table: Tensor, side: int) -> Tensor:
    """(2·side−1)×C vectors by distance → side×side×C: entry (i, j) is that of i − j."""
    return table.unfold(0, side, 1).flip(2).transpose(1, 2)


def position_bias(query: Tensor, by_row: Tensor, by_column: Tensor, buffer: Tensor) -> Tensor:
    """The bias of attention between some rows of a map and the whole of it.

    Args:
        query: B×heads×(r·w)×C, the r rows' queries.
        by_row: r×h×C, for each of those rows the vectors of all h rows.
        by_column: w×w×C, for each column the vectors of all columns.
        buffer: at least as many numbers as the result has; they are overwritten with it.

    Returns:
        B×heads×(r·w)×(h·w).
    """
    grid = query.unflatten(2, (by_row.shape[0], by_column.shape[0]))
    row_part = torch.einsum("bnrwc,rhc->bnrwh", grid, by_row).unsqueeze(-1)
    column_part = torch.einsum("bnrwc,wvc->bnrwv", grid, by_column).unsqueeze(-2)
    shape = torch.broadcast_shapes(row_part.shape, column_part.shape)
    bias = buffer[: shape.numel()].view(shape)
    torch.add(row_part, column_part, out=bias)
    return bias.flatten(4).flatten(2, 3)


def _clamp(number: int, most: int) -> int:
    return max(1, min(number, most))


class Block(nn.Module):
    """Pre-norm transformer block over B×h×w×C; `window` is None for global attention."""

    def __init__(self, config: ImageEncoderConfig, window: int | None, ops: Ops) -> None:
        super().__init__()
        norm = partial(ops.LayerNorm, config.width, eps=config.norm_eps)
        self.window = window
        self.norm_attn = norm()
        self.attn = RelativeAttention(config.width, config.heads, window or config.grid, ops)
        self.norm_mlp = norm()
        self.mlp = MLP(config.width, config.mlp_hidden, False, ops)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm_attn(x)
        if self.window is None:
            x = x + self.attn(normed)
        else:
            windows = split_windows(normed, self.window)
            x = x + join_windows(self.attn(windows), x.shape[1:3])
        return x + self.mlp(self.norm_mlp(x))


def split_windows(x: Tensor, side: int) -> Tensor:
    """B×h×w×C → (B·windows)×side×side×C.

    What lies beyond the map's right and lower edges is zero, and is attended like the rest.
    """
    rows, columns = x.shape[1:3]
    x = F.pad(x, (0, 0, 0, -columns % side, 0, -rows % side))
    x = x.unflatten(2, (-1, side)).unflatten(1, (-1, side))
    return x.transpose(2, 3).flatten(0, 2)


def join_windows(windows: Tensor, size: torch.Size) -> Tensor:
    """The reverse of `split_windows`, for a map of `size` rows and columns."""
    rows, columns = size
    side = windows.shape[1]
    down, across = -(-rows // side), -(-columns // side)
    x = windows.unflatten(0, (-1, down, across)).transpose(2, 3)
    return x.flatten(3, 4).flatten(1, 2)[:, :rows, :columns]


class EncoderStage(nn.Module):
    """Blocks with window attention, then one with global attention."""

    def __init__(self, depth: int, config: ImageEncoderConfig, ops: Ops) -> None:
        super().__init__()
        self.window_attn_blocks = nn.ModuleList(
            Block(config, config.window, ops) for _ in range(depth)
        )
        self.global_attn_block = Block(config, None, ops)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.window_attn_blocks:
            x = block(x)
        return self.global_attn_block(x)


class ImageEncoder(nn.Module):
    """Normalised images B×3×side×side → B×width×grid×grid."""

    def __init__(self, config: ImageEncoderConfig, width: int, ops: Ops) -> None:
        super().__init__()
        grid, eps = config.grid, config.norm_eps
        self.patch_embed = PatchEmbed(config, ops)
        self.pos_embed = nn.Parameter(torch.empty(1, grid, grid, config.width))
        self.stages = nn.ModuleList(EncoderStage(depth, config, ops) for depth in config.stages)
        self.neck = nn.Sequential(
            ops.Conv2d(config.width, width, kernel_size=1, bias=False),
            LayerNorm2d(width, eps),
            ops.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(width, eps),
        )

    def forward(self, images: Tensor) -> Tensor:
        x = self.patch_embed(images)
        x = x + self.pos_embed.to(x)
        for stage in self.stages:
            x = stage(x)
        return self.neck(x.permute(0, 3, 1, 2))
