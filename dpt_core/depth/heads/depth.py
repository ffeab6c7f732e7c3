"""The depth head of every DPT, with or without a second map that tells the sky apart."""

from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from ...layers import Ops
from ..config import DepthHeadConfig
from .bands import BandedProjection


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
        self.proj_1ch = BandedProjection(first, second, ops)
        self.sky_1ch = BandedProjection(first, second, ops) if config.sky else None

    def forward(self, fused: Sequence[Tensor], size: tuple[int, int]) -> Prediction:
        """Four fused maps B×F×h×w, finest first, and the size H×W of the input → depth B×H×W."""
        x = self.spatial_upsampler(fused[0])  # B×C×h×w
        depth = self.activate(self.proj_1ch(x, size)).squeeze(1)  # B×H×W
        sky = None if self.sky_1ch is None else self.sky_1ch(x, size).relu().squeeze(1)  # B×H×W
        return Prediction(depth, sky)

    def activate(self, logits: Tensor) -> Tensor:
        """Logits → inverse depth (cut off at 0), metres up to `max_depth`, or depth."""
        if self.config.activation == "relu":
            return F.relu(logits)
        if self.config.activation == "exp":
            return logits.exp()
        assert self.config.max_depth is not None
        return logits.sigmoid() * self.config.max_depth
