"""Layer normalisation of maps."""

import torch
from torch import Tensor, nn


class LayerNorm2d(nn.Module):
    """Layer normalisation over the channels of a map, computed in float32."""

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(channels, 1, 1))
        self.bias = nn.Parameter(torch.empty(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """B×C×H×W → B×C×H×W."""
        exact = x.float()
        variance, mean = torch.var_mean(exact, dim=1, correction=0, keepdim=True)
        scaled = (exact - mean).mul_(torch.rsqrt(variance + self.eps))
        return scaled.mul_(self.weight.to(scaled)).add_(self.bias.to(scaled)).to(x)
