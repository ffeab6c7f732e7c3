"""The depth head of every DPT, with or without a second map that tells the sky apart."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...layers import Ops
from ...layers.resize import resize_map
from ..config import DepthHeadConfig
from .bands import band_rows, has_inner_hooks, run_in_bands


class Prediction(NamedTuple):
    """What a network gives.

    Attributes:
        depth: B×H×W of the kind that the head's configuration says.
        sky: B×H×W scores of the sky, from 0 (none), of models that tell it apart; else None.
    """

    depth: Tensor
    sky: Tensor | None


class DepthHead(nn.Module):
    """The finest fused map → depth at the size of the network's input."""

    def __init__(self, config: DepthHeadConfig, features: int, ops: Ops) -> None:
        super().__init__()
        first, second = config.channels
        self.config = config
        self.spatial_upsampler = nn.Sequential(
            ops.Conv2d(features, first, kernel_size=3, padding=1)
        )
        self.proj_1ch = projection(first, second, ops)
        self.sky_1ch = projection(first, second, ops) if config.sky else None

    def forward(self, fused: Sequence[Tensor], size: tuple[int, int]) -> Prediction:
        """Four fused maps B×F×h×w, finest first, and the size H×W of the input → depth B×H×W."""
        if has_inner_hooks(self) or band_rows(fused[0], size) >= size[0]:
            x = self.spatial_upsampler(fused[0])  # B×C×h×w
            x = self.project(resize_map(x, size))  # B×1×H×W, or B×2×H×W with the sky
        else:
            x = torch.cat(
                [*run_in_bands(self.spatial_upsampler, self.project, fused[0], size)], dim=2
            )
        depth = self.activate(x[:, 0])  # B×H×W
        return Prediction(depth, x[:, 1].relu() if self.sky_1ch is not None else None)

    def project(self, x: Tensor) -> Tensor:
        """B×C×H×W → logits of depth, and of the sky where the model tells it apart: B×n×H×W."""
        if self.sky_1ch is None:
            return self.proj_1ch(x)
        return torch.cat([self.proj_1ch(x), self.sky_1ch(x)], dim=1)

    def activate(self, logits: Tensor) -> Tensor:
        """Logits → inverse depth (cut off at 0), metres up to `max_depth`, or depth."""
        if self.config.activation == "relu":
            return F.relu(logits)
        if self.config.activation == "exp":
            return logits.exp()
        assert self.config.max_depth is not None
        return logits.sigmoid() * self.config.max_depth


def projection(channels: int, hidden: int, ops: Ops) -> nn.Sequential:
    """B×C×H×W → B×1×H×W."""
    return nn.Sequential(
        ops.Conv2d(channels, hidden, kernel_size=3, padding=1),
        nn.ReLU(),
        ops.Conv2d(hidden, 1, kernel_size=1),
    )
