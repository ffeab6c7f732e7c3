"""ResNetV2 below a vision transformer: the encoder of DPT-Hybrid (arXiv:2103.13413).

The weights of the convolutions are standardised (arXiv:1903.10520) once, when the checkpoint is
converted. Padding is TensorFlow's SAME, which is uneven at stride 2.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from ...capture import is_watched
from ...layers import Ops
from ..config import HybridConfig
from .stage import Stage
from .vit import ViT

GROUPS = 32


class SameConv(nn.Module):
    """A convolution without bias whose output has ⌈side / stride⌉ pixels."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, ops: Ops) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.conv = ops.Conv2d(inputs, outputs, kernel_size=kernel, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """B×C×h×w → B×outputs×⌈h/stride⌉×⌈w/stride⌉."""
        return self.conv(pad_same(x, self.kernel, self.stride))


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions with GroupNorm, and a shortcut; ReLU after the sum."""

    def __init__(self, inputs: int, outputs: int, stride: int, first: bool, ops: Ops) -> None:
        super().__init__()
        middle = outputs // 4
        self.conv1 = SameConv(inputs, middle, 1, 1, ops)
        self.norm1 = ops.GroupNorm(GROUPS, middle)
        self.conv2 = SameConv(middle, middle, 3, stride, ops)
        self.norm2 = ops.GroupNorm(GROUPS, middle)
        self.conv3 = SameConv(middle, outputs, 1, 1, ops)
        self.norm3 = ops.GroupNorm(GROUPS, outputs)
        self.shortcut = None
        if first:
            self.shortcut = nn.Sequential(
                SameConv(inputs, outputs, 1, stride, ops), ops.GroupNorm(GROUPS, outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """B×inputs×h×w → B×C×h'×w', smaller by the stride."""
        shortcut = x if self.shortcut is None else self.shortcut(x)
        x = relu_of(self.norm1, self.conv1(x))  # B×C/4×h×w
        x = relu_of(self.norm2, self.conv2(x))  # B×C/4×h'×w'
        x = self.norm3(self.conv3(x))  # B×C×h'×w'
        return F.relu_(x + shortcut if is_watched(self.norm3) else x.add_(shortcut))


class ResNetV2(nn.Module):
    """Three stages of bottlenecks after a stem."""

    def __init__(self, config: HybridConfig, ops: Ops) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            SameConv(3, config.stem, 7, 2, ops), ops.GroupNorm(GROUPS, config.stem)
        )
        inputs = config.stem
        self.stages = nn.ModuleList()
        for i, (width, layers) in enumerate(zip(config.widths, config.layers, strict=True)):
            stage = nn.Sequential()
            for j in range(layers):
                stride = 2 if i > 0 and j == 0 else 1
                stage.append(Bottleneck(inputs, width, stride, j == 0, ops))
                inputs = width
            self.stages.append(stage)

    def forward(self, images: Tensor) -> list[Tensor]:
        """B×3×H×W → B×C×h×w at 1/4, 1/8 and 1/16 of the size."""
        x = relu_of(self.stem, images)  # B×stem×H/2×W/2
        x = F.max_pool2d(pad_same(x, 3, 2), kernel_size=3, stride=2)  # B×stem×H/4×W/4
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class ResNetPatchEmbed(nn.Module):
    """The ResNet's last map, projected to tokens."""

    def __init__(self, config: HybridConfig, ops: Ops) -> None:
        super().__init__()
        self.backbone = ResNetV2(config, ops)
        self.proj = ops.Conv2d(config.widths[-1], config.vit.width, kernel_size=1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """B×3×H×W → maps at 1/4 and 1/8 for the decoder, and B×N×C patches at 1/16."""
        fine, middle, coarse = self.backbone(images)
        return fine, middle, self.proj(coarse).flatten(2).transpose(1, 2)


class HybridViT(ViT):
    """Images to two ResNet maps and two stages of tokens."""

    def __init__(self, config: HybridConfig, ops: Ops) -> None:
        super().__init__(config.vit, ops)
        self.patch_embed = ResNetPatchEmbed(config, ops)

    def forward(self, images: Tensor) -> list[Stage]:
        """B×3×H×W → four stages: two ResNet maps without a cls token, two token maps with one."""
        grid = (images.shape[-2] // self.patch, images.shape[-1] // self.patch)
        fine, middle, patches = self.patch_embed(images)
        stages = self.transform(patches, grid)
        return [Stage(fine, None), Stage(middle, None), *stages[2:]]


def relu_of(layer: nn.Module, x: Tensor) -> Tensor:
    """``relu(layer(x))``, in place unless a hook may have kept the layer's output."""
    x = layer(x)
    return F.relu(x) if is_watched(layer) else F.relu_(x)


def pad_same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """TensorFlow's SAME padding with zeros; the odd pixel goes to the right and the bottom.

    Zeros are right for max pooling too: it follows a ReLU, and every window has a real pixel.
    """
    sides = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:]]
    if not any(sides):
        return x
    vertical, horizontal = sides
    left, top = horizontal // 2, vertical // 2
    return F.pad(x, (left, horizontal - left, top, vertical - top))
