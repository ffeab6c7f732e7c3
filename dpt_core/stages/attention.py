"""Attention weights of one block, computed a second time from its queries and keys.

The network uses fused attention, which never holds the weights in memory. Hooks provide its
inputs: the output of `qkv`, and the bias and mask that `attn` was called with.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..capture import capture
from ..depth.encoders.swin import WindowAttention
from ..layers.attention import Attention
from .feature_map import AttentionQuery
from .grid import Grid, Point, copy_to_cpu, point_to_cell
from .window_attention import window_attention, window_bias

ROWS = 256  # queries at a time: 24 heads of 5477 tokens would be 2.9 GB at once


@contextmanager
def capture_attention(attn: nn.Module, compute: Callable[..., Tensor]) -> Iterator[list[Tensor]]:
    """Collect ``compute(attn, qkv, *inputs)`` for every run of an attention layer.

    Args:
        attn: an `Attention` or a `WindowAttention`.
        compute: takes the layer, the output of its `qkv`, and the layer's inputs.
    """
    results: list[Tensor] = []

    def hook(module: nn.Module, inputs: Any, _output: Any) -> None:
        results.append(compute(module, captured.pop("qkv"), *inputs))

    with capture(attn, ["qkv"]) as captured:
        handle = attn.register_forward_hook(hook)
        try:
            yield results
        finally:
            handle.remove()


def attention_fn(
    attn: nn.Module, grid: Grid, query: AttentionQuery, point: Point
) -> Callable[..., Tensor]:
    """The function for `capture_attention` that computes a layer's weights.

    Raises:
        ValueError: the layer has no such query, or the point is outside the image.
    """
    point_to_cell(point, grid)
    if isinstance(attn, WindowAttention):
        if query == "cls":
            raise ValueError("Swin has no cls token; choose the attention of a point or average.")
        return partial(window_attention, average=query == "average", point=point)
    return partial(token_attention, grid=grid, query=query, point=point)


def bias_fn(attn: nn.Module, grid: Grid, point: Point) -> Callable[..., Tensor]:
    """The function for `capture_attention` that reads a layer's position bias.

    Raises:
        ValueError: the point is outside the image.
    """
    point_to_cell(point, grid)
    if isinstance(attn, WindowAttention):
        return partial(window_bias, point=point)
    return partial(token_bias, grid=grid, point=point)


def token_attention(
    attn: Attention,
    qkv: Tensor,
    _x: Tensor,
    bias: Tensor | None = None,
    *,
    grid: Grid,
    query: AttentionQuery,
    point: Point,
) -> Tensor:
    """How much a token attends to every patch, by head: B×heads×rows×columns on the CPU.

    Args:
        attn: the layer.
        qkv: its queries, keys and values, B×(1+N)×3C.
        bias: added to the logits, broadcast to B×heads×(1+N)×(1+N); or None.
        grid: rows and columns of the N patches.
        query: whose attention: that of the patch at `point`, of the cls token, or the
            average over all patches.
        point: x and y in 0 to 1.

    Returns:
        Weights that sum to 1 together with the weight on the cls token, which has no cell.
    """
    batch, count, _ = qkv.shape
    queries, keys, _values = (
        qkv.float().view(batch, count, 3, attn.heads, -1).permute(2, 0, 3, 1, 4).unbind()
    )  # B×heads×(1+N)×C/heads each
    queries = queries / math.sqrt(queries.shape[-1])

    def weights_of(start: int, end: int) -> Tensor:
        """B×heads×(end−start)×(1+N)."""
        logits = queries[:, :, start:end] @ keys.transpose(-2, -1)
        if bias is not None:
            logits += bias[..., start:end, :].float()
        return logits.softmax(dim=-1)

    if query == "average":
        weights = qkv.new_zeros(batch, attn.heads, count, dtype=torch.float32)
        for start in range(1, count, ROWS):
            weights += weights_of(start, min(start + ROWS, count)).sum(dim=2)
        weights /= count - 1
    else:
        row, column = point_to_cell(point, grid)
        index = 0 if query == "cls" else 1 + row * grid[1] + column
        weights = weights_of(index, index + 1)[:, :, 0]  # B×heads×(1+N)
    return weights[:, :, 1:].unflatten(2, grid).cpu()


def token_bias(
    attn: Attention,
    _qkv: Tensor,
    _x: Tensor,
    bias: Tensor | None = None,
    *,
    grid: Grid,
    point: Point,
) -> Tensor:
    """The position bias of the patch at `point` to every patch: 1×heads×rows×columns."""
    assert bias is not None
    row, column = point_to_cell(point, grid)
    return copy_to_cpu(bias[:1, :, 1 + row * grid[1] + column, 1:].unflatten(2, grid))
