"""Multi-head self-attention."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import Ops

QUERIES = 512  # at a time, so that their row of the attention matrix stays in the cache


class Attention(nn.Module):
    """Self-attention over B×N×C tokens, with an optional additive bias on its logits."""

    def __init__(self, width: int, heads: int, ops: Ops, qkv_bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = ops.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = ops.Linear(width, width)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """`bias` broadcasts to B×heads×N×N."""
        batch, count, width = x.shape
        qkv = self.qkv(x).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        is_slow = x.is_cpu and x.dtype == torch.bfloat16 and count >= QUERIES
        if is_slow and bias is None:
            mixed = attend_by_products(query, key, value)
        else:
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, width))


def attend_by_products(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """``F.scaled_dot_product_attention`` of B×heads×N×d, as matrix products.

    A CPU that multiplies bfloat16 takes 0.6 of the time for this, as PyTorch's fused kernel
    multiplies float32. The logits are rounded to bfloat16, so they should be small: the keys'
    mean, which adds the same to all logits of a query, is taken off (arXiv:2410.02367).
    """
    query = query * query.shape[-1] ** -0.5
    key = (key - key.mean(dim=-2, keepdim=True)).mT
    mixed = torch.empty_like(value, memory_format=torch.contiguous_format)
    heads = zip(*(x.flatten(0, 1) for x in (mixed, query, key, value.contiguous())), strict=True)
    for result, queries, keys, values in heads:
        for rows, part in zip(result.split(QUERIES), queries.split(QUERIES), strict=True):
            rows.copy_((part @ keys).softmax(dim=-1) @ values)
    return mixed
