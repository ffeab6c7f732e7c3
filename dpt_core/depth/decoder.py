"""The one decoder of all depth families: reassembly, fusion, head (arXiv:2103.13413, figure 1).

Channel counts, readout and the last activation differ between families and are data; the
official implementations' differences in wiring are resolved in the conversion tables.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import Ops
from ..layers.resize import resize_map, resize_rows
from .config import DPTConfig, ReassembleConfig
from .encoders.stage import Stage

SCALES = ("spatial_upx4", "spatial_upx2", "spatial_noscale", "spatial_downx2")  # finest first
BAND_BYTES = 8 * 2**20  # of the map at full size that are there at a time, on a CPU
GPU_BAND_BYTES = 32 * 2**20  # the same on a GPU, which is idle over little


class Reassemble(nn.Module):
    """Four stages of tokens → four maps of `features` channels, at ×4, ×2, ×1 and ÷2."""

    def __init__(self, config: DPTConfig, ops: Ops) -> None:
        super().__init__()
        for name, stage in zip(SCALES, config.reassembly, strict=True):
            setattr(self, name, ReassembleStage(name, stage, config.features, ops))

    def forward(self, stages: Sequence[Stage]) -> tuple[Tensor, ...]:
        return tuple(getattr(self, name)(stage) for name, stage in zip(SCALES, stages, strict=True))


class JoinReadout(nn.Module):
    """Put the cls token beside every other: B×C×h×w and B×C → B×h×w×2C."""

    def forward(self, stage: Stage) -> Tensor:
        assert stage.cls is not None
        tokens = stage.map.permute(0, 2, 3, 1)
        return torch.cat([tokens, stage.cls[:, None, None].expand_as(tokens)], dim=-1)


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
            self.resample.append(_resampling(scale, channels, ops))
        self.fuse_proj = ops.Conv2d(channels, features, kernel_size=3, padding=1, bias=False)

    def forward(self, stage: Stage) -> Tensor:
        x = stage.map
        if self.readout_proj is not None:
            x = self.readout_proj(stage).permute(0, 3, 1, 2)
        return self.fuse_proj(self.resample(suit_convolutions(x)))


def suit_convolutions(x: Tensor) -> Tensor:
    """B×C×H×W as a CPU's convolutions like it, channels innermost: all later maps follow.

    With the decoder in this order Depth Anything V2-S takes 5 % less time. Always a copy:
    the strides of a slice of tokens are not recognised, though the channels lie so.
    """
    return x.clone(memory_format=torch.channels_last) if x.device.type == "cpu" else x


def _resampling(scale: str, channels: int, ops: Ops) -> nn.Module:
    if scale == "spatial_downx2":
        return ops.Conv2d(channels, channels, kernel_size=3, stride=2, padding=1)
    factor = {"spatial_upx4": 4, "spatial_upx2": 2}[scale]
    return ops.ConvTranspose2d(channels, channels, kernel_size=factor, stride=factor)


class ResidualConv(nn.Module):
    """x + conv(relu(conv(relu(x)))), both convolutions 3×3."""

    def __init__(self, features: int, ops: Ops) -> None:
        super().__init__()
        self.conv_seq = nn.Sequential(
            nn.ReLU(),  # not in place: the sum below adds x itself
            ops.Conv2d(features, features, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            ops.Conv2d(features, features, kernel_size=3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_seq(x).add_(x)


class FusionBlock(nn.Module):
    """Add what comes from below to a reassembled map, refine, and resize to the next size.

    The 1×1 convolution comes before the resize, not after it as in the paper: the two
    commute (up to rounding), and there are fewer pixels to convolve.
    """

    def __init__(self, features: int, coarsest: bool, ops: Ops) -> None:
        super().__init__()
        self.conv_reassembly = None if coarsest else ResidualConv(features, ops)
        self.proj_seq = nn.Sequential(
            ResidualConv(features, ops), ops.Conv2d(features, features, kernel_size=1)
        )

    def join(self, x: Tensor, below: Tensor) -> Tensor:
        """The sum of a reassembled map and of what comes from below, at its size."""
        assert self.conv_reassembly is not None
        return self.conv_reassembly(x).add_(below)

    def forward(self, joined: Tensor, size: tuple[int, int]) -> Tensor:
        return resize_map(self.proj_seq(joined), size)


class Fusion(nn.Module):
    """Four maps → one, coarse to fine. Block 0 is the finest."""

    def __init__(self, features: int, ops: Ops) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(FusionBlock(features, i == 3, ops) for i in range(4))

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps, finest first → one at twice the finest's size.

        The list is emptied on the way, so that no map outlives the step that reads it.
        """
        *finer, coarsest = self.blocks
        height, width = maps[0].shape[-2:]
        fused = coarsest(maps.pop(), maps[-1].shape[-2:])
        for block in reversed(finer):
            assert isinstance(block, FusionBlock)
            fused = block.join(maps.pop(), fused)
            fused = block(fused, maps[-1].shape[-2:] if maps else (2 * height, 2 * width))
        return fused


class Head(nn.Module):
    """The fused map → logits B×1×H×W at the size of the network's input.

    Called in two steps, `spatial_upsampler` and the rest: the fused map, the widest of all, is
    gone before anything is there at full size.
    """

    def __init__(self, config: DPTConfig, ops: Ops) -> None:
        super().__init__()
        first, second = config.head_channels
        self.spatial_upsampler = nn.Sequential(
            ops.Conv2d(config.features, first, kernel_size=3, padding=1)
        )
        self.proj_1ch = Projection(first, second, ops)
        self.sky_1ch = Projection(first, second, ops) if config.sky_head else None

    def forward(self, x: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
        """Logits of the depth, and of the sky where the model has a head for it."""
        return self.proj_1ch(x, size), None if self.sky_1ch is None else self.sky_1ch(x, size)


class Projection(nn.ModuleList):
    """A map → one channel at the size of the network's input, some rows at a time.

    At full size the maps between would outweigh all others together. A hook on one of the
    layers sees some rows after the other; `features` gives them all.
    """

    def __init__(self, first: int, second: int, ops: Ops) -> None:
        super().__init__(
            [
                ops.Conv2d(first, second, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                ops.Conv2d(second, 1, kernel_size=1),
            ]
        )

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """B×C×h×w → B×1×height×width."""
        height, width = size
        limit = BAND_BYTES if x.is_cpu else GPU_BAND_BYTES
        rows = max(1, limit // (x[:, :, 0, 0].numel() * width * x.itemsize))
        if rows >= height:
            return self[2](self.features(x, size))
        result = x.new_empty(len(x), 1, height, width)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            # One more on either side, where there is one, for the 3×3 convolution.
            above, below = max(0, top - 1), min(height, bottom + 1)
            band = self[2](self[1](self[0](resize_rows(x, size, above, below))))
            result[:, :, top:bottom] = band[:, :, top - above : bottom - above]
        return result

    def features(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """What the last convolution reads, all rows at once: B×second×height×width."""
        return self[1](self[0](resize_map(x, size)))


def activate(logits: Tensor, config: DPTConfig) -> Tensor:
    """Logits → inverse depth (cut off at 0), metres up to `max_depth`, or distance."""
    if config.activation == "relu":
        return F.relu(logits)
    if config.activation == "exp":
        return logits.exp()
    assert config.max_depth is not None
    return logits.sigmoid() * config.max_depth
