"""The depth head of every DPT, with or without a second map that scores the sky."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...capture import is_watched
from ...layers import Ops
from ...layers.resize import resize_map
from ..config import DepthHeadConfig
from .bands import band_rows, run_in_bands


class Prediction(NamedTuple):
    """The prediction of a network.

    Attributes:
        depth: B×H×W, of the kind in the head's configuration.
        sky: sky scores B×H×W, 0 (no sky) or more; None: the model does not detect the sky.
    """

    depth: Tensor
    sky: Tensor | None


class DepthHead(nn.Module):
    """The finest fused map → a prediction at the size of the network's input."""

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
        """Four fused maps B×F×h×w, finest first, and the input's size H×W → maps B×H×W."""
        x = self.spatial_upsampler(fused[0])  # B×C×h×w
        if is_watched(*self.children()) or band_rows(x, size) >= size[0]:
            x = self.project(resize_map(x, size))  # B×1×H×W, or B×2×H×W with the sky
        else:
            x = torch.cat([*run_in_bands(self.project, x, size)], dim=2)
        depth = self.activate(x[:, 0])  # B×H×W
        return Prediction(depth, x[:, 1].relu() if self.sky_1ch is not None else None)

    def project(self, x: Tensor) -> Tensor:
        """B×C×H×W → logits of depth B×1×H×W, or of depth and sky B×2×H×W."""
        if self.sky_1ch is None:
            return self.proj_1ch(x)
        return torch.cat([self.proj_1ch(x), self.sky_1ch(x)], dim=1)

    def activate(self, logits: Tensor) -> Tensor:
        """Logits B×H×W → inverse depth (cut off at 0), metres up to `max_depth`, or depth."""
        if self.config.activation == "relu":
            return F.relu(logits)
        if self.config.activation == "exp":
            return logits.exp()
        assert self.config.max_depth is not None
        return logits.sigmoid() * self.config.max_depth


def projection(channels: int, hidden: int, ops: Ops) -> nn.Sequential:
    """Layers that take B×C×H×W to B×1×H×W."""
    return nn.Sequential(
        ops.Conv2d(channels, hidden, kernel_size=3, padding=1),
        nn.ReLU(),
        ops.Conv2d(hidden, 1, kernel_size=1),
    )
