"""Images to an embedding: stages of window attention that each end with global attention."""

from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import Ops
from ..layers.mlp import MLP
from ..layers.norm import LayerNorm2d
from .config import ImageEncoderConfig

# Attention bias in memory at once; one head of 64×64 tokens in float32 takes as much.
BIAS_BYTES = 64 * 2**20


class PatchEmbed(nn.Module):
    """One linear projection per patch."""

    def __init__(self, config: ImageEncoderConfig, ops: Ops) -> None:
        super().__init__()
        patch = config.patch
        self.proj = ops.Conv2d(3, config.width, kernel_size=patch, stride=patch)

    def forward(self, images: Tensor) -> Tensor:
        """B×3×H×W → B×h×w×C."""
        return self.proj(images).permute(0, 2, 3, 1)


class RelativeAttention(nn.Module):
    """Self-attention over a square map with decomposed relative positions (arXiv:2112.01526).

    The bias of two tokens is the dot product of the (unscaled) query with a vector for their
    distance in rows, plus that with a vector for their distance in columns. It is computed for
    some heads and rows of queries at a time, always in the same memory: all of it would be as
    large as the attention matrix, 805 MB for twelve heads over 64×64 tokens.
    """

    def __init__(self, width: int, heads: int, side: int, ops: Ops) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = ops.Linear(width, 3 * width)
        self.proj = ops.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.empty(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.empty(2 * side - 1, width // heads))

    def forward(self, x: Tensor) -> Tensor:
        """B×h×w×C → B×h×w×C; h and w are the side that the tables were made for."""
        batch, rows, columns, width = x.shape
        count = rows * columns
        qkv = self.qkv(x).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # B×heads×hw×C/heads each
        by_row = by_distance(self.rel_pos_h.to(x), rows)
        by_column = by_distance(self.rel_pos_w.to(x), columns)
        mixed = x.new_empty(batch, count, self.heads, width // self.heads)
        size = batch * columns * count  # of the bias of one head and one row of queries
        row_chunk = _clamp(BIAS_BYTES // (size * x.element_size()), rows)
        head_chunk = _clamp(BIAS_BYTES // (size * x.element_size() * row_chunk), self.heads)
        buffer = x.new_empty(head_chunk * row_chunk * size)
        for head, row in product(range(0, self.heads, head_chunk), range(0, rows, row_chunk)):
            heads = slice(head, head + head_chunk)
            queries = slice(row * columns, (row + row_chunk) * columns)
            chunk = query[:, heads, queries]
            bias = position_bias(chunk, by_row[row : row + row_chunk], by_column, buffer)
            mixed[:, queries, heads] = F.scaled_dot_product_attention(
                chunk, key[:, heads], value[:, heads], attn_mask=bias
            ).transpose(1, 2)
        return self.proj(mixed.view(batch, rows, columns, width))


def by_distance(table: Tensor, side: int) -> Tensor:
    """(2·side−1)×C vectors by distance → side×side×C, the vector of i − j at (i, j)."""
    return table.unfold(0, side, 1).flip(2).transpose(1, 2)


def position_bias(query: Tensor, by_row: Tensor, by_column: Tensor, buffer: Tensor) -> Tensor:
    """The attention bias between some rows of a map and the whole map.

    Args:
        query: B×heads×(r·w)×C, the r rows' queries.
        by_row: r×h×C, the vectors from each of those rows to all h rows.
        by_column: w×w×C, the vectors from each column to all columns.
        buffer: memory of at least the result's size, which is overwritten with it.

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
    """Pre-norm transformer block over a map; `window` is None for global attention."""

    def __init__(self, config: ImageEncoderConfig, window: int | None, ops: Ops) -> None:
        super().__init__()
        norm = partial(ops.LayerNorm, config.width, eps=config.norm_eps)
        self.window = window
        self.norm_attn = norm()
        self.attn = RelativeAttention(config.width, config.heads, window or config.grid, ops)
        self.norm_mlp = norm()
        self.mlp = MLP(config.width, config.mlp_hidden, False, ops)

    def forward(self, x: Tensor) -> Tensor:
        """B×h×w×C → B×h×w×C."""
        normed = self.norm_attn(x)
        if self.window is None:
            x = x + self.attn(normed)
        else:
            windows = split_windows(normed, self.window)  # (B·windows)×side×side×C
            x = x + join_windows(self.attn(windows), x.shape[1:3])
        return x + self.mlp(self.norm_mlp(x))


def split_windows(x: Tensor, side: int) -> Tensor:
    """B×h×w×C → (B·windows)×side×side×C.

    Beyond its right and lower edges the map is padded with zeros, which are attended to as well.
    """
    rows, columns = x.shape[1:3]
    x = F.pad(x, (0, 0, 0, -columns % side, 0, -rows % side))
    x = x.unflatten(2, (-1, side)).unflatten(1, (-1, side))
    return x.transpose(2, 3).flatten(0, 2)


def join_windows(windows: Tensor, size: torch.Size) -> Tensor:
    """The inverse of `split_windows`, for a map of `size` rows and columns: B×h×w×C."""
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
        """B×h×w×C → B×h×w×C."""
        for block in self.window_attn_blocks:
            x = block(x)
        return self.global_attn_block(x)


class ImageEncoder(nn.Module):
    """A vision transformer with window attention (arXiv:2203.16527), and a convolutional neck."""

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
        """Normalised images B×3×side×side → B×width×grid×grid."""
        x = self.patch_embed(images)  # B×grid×grid×C
        x = x + self.pos_embed.to(x)
        for stage in self.stages:
            x = stage(x)
        return self.neck(x.permute(0, 3, 1, 2))
