"""Multi-head self-attention."""

import torch.nn.functional as F
from torch import Tensor, nn

from . import Ops


class Attention(nn.Module):
    """Self-attention over B×N×C tokens, with an optional additive bias on its logits."""

    def __init__(self, width: int, heads: int, ops: Ops, qkv_bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.attend = getattr(ops, "scaled_dot_product_attention", F.scaled_dot_product_attention)
        self.qkv = ops.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = ops.Linear(width, width)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """B×N×C tokens → the same shape; `bias` broadcasts to B×heads×N×N."""
        batch, count, width = x.shape
        qkv = self.qkv(x).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = self.attend(query, key, value, attn_mask=bias)  # B×heads×N×C/heads
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, width))
