"""The plain vision transformer of DINOv2, BEiT and MiDaS v3.0, in four stages."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from ...layers import Ops
from ...layers.attention import Attention
from ...layers.mlp import MLP
from ...layers.positions import Grid, NoPositions, PositionEncoding
from ...layers.relative_bias import RelativeBias
from ..config import ViTConfig
from .stage import Stage

MakeNorm = Callable[[int], nn.Module]


class PatchEmbed(nn.Module):
    """One linear projection per patch."""

    def __init__(self, width: int, patch: int, ops: Ops) -> None:
        super().__init__()
        self.proj = ops.Conv2d(3, width, kernel_size=patch, stride=patch)

    def forward(self, images: Tensor) -> Tensor:
        """B×3×H×W → B×N×C, row by row."""
        x = self.proj(images)  # B×C×h×w
        return x.flatten(2).transpose(1, 2)


class Block(nn.Module):
    """Pre-norm transformer block: x + s₁·attn(norm(x)), then x + s₂·mlp(norm(x))."""

    def __init__(self, config: ViTConfig, norm: MakeNorm, ops: Ops) -> None:
        super().__init__()
        width = config.width
        self.norm_attn = norm(width)
        self.attn = Attention(width, config.heads, ops)
        self.norm_mlp = norm(width)
        self.mlp = MLP(width, config.mlp_hidden, config.gated_mlp, ops)
        self.relative_bias = None
        if config.positions == "relative":
            self.relative_bias = RelativeBias(config.heads, config.grid)
        self.scale_attn = self.scale_mlp = None
        if config.layer_scale:
            self.scale_attn = nn.Parameter(torch.empty(width))
            self.scale_mlp = nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        """B×(1+N)×C tokens, cls first, of a grid of N patches → the same shape."""
        bias = None
        if self.relative_bias is not None:
            bias = self.relative_bias(grid, x).unsqueeze(0)  # 1×heads×(1+N)×(1+N)
        x = _add_scaled(x, self.attn(self.norm_attn(x), bias), self.scale_attn)
        return _add_scaled(x, self.mlp(self.norm_mlp(x)), self.scale_mlp)


class EncoderStage(nn.Module):
    """The blocks between two taps."""

    def __init__(self, depth: int, config: ViTConfig, norm: MakeNorm, ops: Ops) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(config, norm, ops) for _ in range(depth))

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        """B×(1+N)×C → the same shape."""
        for block in self.blocks:
            x = block(x, grid)
        return x


class ViT(nn.Module):
    """Images → four stages of tokens."""

    def __init__(self, config: ViTConfig, ops: Ops) -> None:
        super().__init__()
        norm = partial(ops.LayerNorm, eps=config.norm_eps)
        self.patch = config.patch
        self.patch_embed: nn.Module = PatchEmbed(config.width, config.patch, ops)
        self.cls_token = nn.Parameter(torch.empty(1, 1, config.width))
        self.posenc = (
            NoPositions()
            if config.positions == "relative"
            else PositionEncoding(config.width, config.grid, config.positions)
        )
        self.stages = nn.ModuleList(
            EncoderStage(depth, config, norm, ops) for depth in config.stage_depths
        )
        eps = config.final_norm_eps
        self.norm = nn.Identity() if eps is None else ops.LayerNorm(config.width, eps=eps)

    def forward(self, images: Tensor) -> list[Stage]:
        """B×3×H×W → four stages: maps B×C×h×w and cls tokens B×C."""
        grid = (images.shape[-2] // self.patch, images.shape[-1] // self.patch)
        return self.transform(self.patch_embed(images), grid)

    def transform(self, patches: Tensor, grid: Grid) -> list[Stage]:
        """Embedded patches B×N×C → four stages, as `forward` returns them."""
        cls = self.cls_token.to(patches).expand(len(patches), -1, -1)  # B×1×C
        tokens = self.posenc(torch.cat([cls, patches], dim=1), grid)  # B×(1+N)×C
        outputs = []
        for stage in self.stages:
            tokens = stage(tokens, grid)
            outputs.append(_as_stage(self.norm(tokens), grid))
        return outputs


def _add_scaled(x: Tensor, branch: Tensor, scale: Tensor | None) -> Tensor:
    if scale is None:
        return x + branch
    return torch.addcmul(x, branch, scale.to(x))


def _as_stage(tokens: Tensor, grid: Grid) -> Stage:
    """Split B×(1+N)×C tokens into the map and the cls token, without copying."""
    return Stage(tokens[:, 1:].transpose(1, 2).unflatten(2, grid), tokens[:, 0])
