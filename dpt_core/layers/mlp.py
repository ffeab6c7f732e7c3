"""The feed-forward half of a transformer block."""

import torch.nn.functional as F
from torch import Tensor, nn

from . import Ops


class SwiGLU(nn.Module):
    """silu(first half) · second half of the channels (arXiv:2002.05202)."""

    def forward(self, x: Tensor) -> Tensor:
        """…×2C → …×C."""
        gate, value = x.chunk(2, dim=-1)
        return F.silu(gate).mul_(value)


class MLP(nn.Module):
    """Linear, activation, Linear. A gated activation takes twice the hidden width."""

    def __init__(self, width: int, hidden: int, gated: bool, ops: Ops) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ops.Linear(width, 2 * hidden if gated else hidden),
            SwiGLU() if gated else nn.GELU(),
            ops.Linear(hidden, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """…×width → the same shape."""
        return self.layers(x)
