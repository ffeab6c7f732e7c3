"""Reassemble tokens of four encoder stages into maps (arXiv:2103.13413, section 3)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..layers import Ops, keep_memory_format
from .config import DPTConfig, ReassembleConfig
from .encoders.stage import Stage

SCALES = ("spatial_upx4", "spatial_upx2", "spatial_noscale", "spatial_downx2")  # finest first


class Reassemble(nn.Module):
    """Four stages of tokens → four maps of `features` channels, at ×4, ×2, ×1 and ÷2."""

    def __init__(self, config: DPTConfig, ops: Ops) -> None:
        super().__init__()
        for name, stage in zip(SCALES, config.reassembly, strict=True):
            setattr(self, name, ReassembleStage(name, stage, config.features, ops))

    def forward(self, stages: Sequence[Stage]) -> tuple[Tensor, ...]:
        """Stages with maps B×C×h×w → maps B×F at 4h×4w, 2h×2w, h×w and h/2×w/2."""
        return tuple(getattr(self, name)(stage) for name, stage in zip(SCALES, stages, strict=True))


class ReassembleStage(nn.Module):
    """Project the tokens of one stage, resample the map, bring it to the fusion's channels."""

    def __init__(self, scale: str, config: ReassembleConfig, features: int, ops: Ops) -> None:
        super().__init__()
        width, channels = config.width, config.channels
        self.readout_proj = None
        if config.readout:
            self.readout_proj = nn.Sequential(
                JoinReadout(), ops.Linear(2 * width, width), nn.GELU()
            )
        self.resample = nn.Sequential()
        if config.projected:
            self.resample.append(ops.Conv2d(width, channels, kernel_size=1))
        if config.resampled:
            self.resample.append(resampling(scale, channels, ops))
        self.fuse_proj = ops.Conv2d(channels, features, kernel_size=3, padding=1, bias=False)
        self.set_memory_format = getattr(ops, "channels_last", keep_memory_format)

    def forward(self, stage: Stage) -> Tensor:
        """A stage's map B×C×h×w and cls token B×C → B×F×h'×w'."""
        x = stage.map  # B×C×h×w
        if self.readout_proj is not None:
            x = self.readout_proj(stage).permute(0, 3, 1, 2)  # B×C×h×w
        x = self.resample(self.set_memory_format(x))  # B×channels×h'×w'
        return self.fuse_proj(x)  # B×F×h'×w'


class JoinReadout(nn.Module):
    """Concatenate the cls token to every other token."""

    def forward(self, stage: Stage) -> Tensor:
        """B×C×h×w and B×C → B×h×w×2C."""
        assert stage.cls is not None
        tokens = stage.map.permute(0, 2, 3, 1)
        return torch.cat([tokens, stage.cls[:, None, None].expand_as(tokens)], dim=-1)


def resampling(scale: str, channels: int, ops: Ops) -> nn.Module:
    """The strided convolution that brings a map B×C×h×w to its scale."""
    if scale == "spatial_downx2":
        return ops.Conv2d(channels, channels, kernel_size=3, stride=2, padding=1)
    factor = {"spatial_upx4": 4, "spatial_upx2": 2}[scale]
    return ops.ConvTranspose2d(channels, channels, kernel_size=factor, stride=factor)
