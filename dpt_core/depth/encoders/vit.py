"""The plain vision transformer: DINOv2 here, with its four stages."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...layers import Ops
from ...layers.attention import Attention
from ...layers.mlp import MLP
from ...layers.positions import Grid, PositionEncoding
from ..config import ViTConfig

MakeNorm = Callable[[int], nn.Module]


class Stage(NamedTuple):
    """What the decoder taps: B×C×rows×columns, and the B×C cls token if there is one."""

    map: Tensor
    cls: Tensor | None


class PatchEmbed(nn.Module):
    """B×3×H×W → B×N×C: one linear projection per patch."""

    def __init__(self, width: int, patch: int, ops: Ops) -> None:
        super().__init__()
        self.proj = ops.Conv2d(3, width, kernel_size=patch, stride=patch)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)


class Block(nn.Module):
    """Pre-norm transformer block: x + s₁·attn(norm(x)), then x + s₂·mlp(norm(x))."""

    def __init__(self, config: ViTConfig, norm: MakeNorm, ops: Ops) -> None:
        super().__init__()
        width = config.width
        self.norm_attn = norm(width)
        self.attn = Attention(width, config.heads, ops)
        self.norm_mlp = norm(width)
        self.mlp = MLP(width, config.mlp_hidden, config.gated_mlp, ops)
        self.scale_attn = self.scale_mlp = None
        if config.layer_scale:
            self.scale_attn = nn.Parameter(torch.empty(width))
            self.scale_mlp = nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor) -> Tensor:
        x = _add_scaled(x, self.attn(self.norm_attn(x)), self.scale_attn)
        return _add_scaled(x, self.mlp(self.norm_mlp(x)), self.scale_mlp)


class EncoderStage(nn.Module):
    """The blocks between two taps."""

    def __init__(self, depth: int, config: ViTConfig, norm: MakeNorm, ops: Ops) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(config, norm, ops) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


class ViT(nn.Module):
    """Images to four stages of tokens."""

    def __init__(self, config: ViTConfig, ops: Ops) -> None:
        super().__init__()
        norm = partial(ops.LayerNorm, eps=config.norm_eps)
        self.patch = config.patch
        self.patch_embed = PatchEmbed(config.width, config.patch, ops)
        self.cls_token = nn.Parameter(torch.empty(1, 1, config.width))
        self.posenc = PositionEncoding(config.width, config.grid, config.positions)
        self.stages = nn.ModuleList(
            EncoderStage(depth, config, norm, ops) for depth in config.stage_depths
        )
        self.norm = norm(config.width) if config.final_norm else nn.Identity()

    def forward(self, images: Tensor) -> list[Stage]:
        grid = (images.shape[-2] // self.patch, images.shape[-1] // self.patch)
        patches = self.patch_embed(images)
        cls = self.cls_token.to(patches).expand(len(patches), -1, -1)
        tokens = self.posenc(torch.cat([cls, patches], dim=1), grid)
        outputs = []
        for stage in self.stages:
            tokens = stage(tokens)
            outputs.append(_as_stage(self.norm(tokens), grid))
        return outputs


def _add_scaled(x: Tensor, branch: Tensor, scale: Tensor | None) -> Tensor:
    if scale is None:
        return x + branch
    return torch.addcmul(x, branch, scale.to(x))


def _as_stage(tokens: Tensor, grid: Grid) -> Stage:
    """Split B×(1+N)×C tokens into the map and the cls token, without copying."""
    return Stage(tokens[:, 1:].transpose(1, 2).unflatten(2, grid), tokens[:, 0])
