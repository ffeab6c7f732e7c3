"""Shifted-window transformers, V1 (arXiv:2103.14030) and V2 (arXiv:2111.09883)."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...layers import Ops
from ...layers.mlp import MLP
from ...layers.relative_bias import BIASES, expand_offsets
from ..config import SwinConfig
from .stage import Stage

MAX_LOGIT_SCALE = math.log(100.0)
MASKED_LOGIT = -100.0  # added to the logits between tokens that are neighbours only by the shift


class WindowAttention(nn.Module):
    """Attention within windows of k×k tokens, with a bias for every offset."""

    def __init__(self, width: int, heads: int, ops: Ops) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = ops.Linear(width, 3 * width)
        self.proj = ops.Linear(width, width)

    def offsets(self, window: int, x: Tensor) -> Tensor:
        """The bias of every offset, heads×(2·window−1)×(2·window−1), in the format of `x`."""
        raise NotImplementedError

    def scale(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor, float | None]:
        """The query and key, and the factor on their product (None: 1/√channels)."""
        return query, key, None

    def forward(self, windows: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
        """B×n×n×L×C tokens of n×n windows, heads×L×L bias, the shift's mask or None → B×n×n×L×C.

        Only windows in the last row or column join tokens from opposite edges of the map, so the
        mask (2×2×L×L: last row or not, last column or not) is only added there.
        """
        batch, rows, columns, count, _ = windows.shape
        qkv = self.qkv(windows).view(batch, rows, columns, count, 3, self.heads, -1)
        query, key, value = qkv.movedim(-3, 0).transpose(-3, -2)
        query, key, factor = self.scale(query, key)
        mixed = torch.empty_like(windows)
        for part in _EDGE_PARTS if mask is not None else _ALL_WINDOWS:
            below, right, row, column = part
            where = (slice(None), row, column)
            if not windows[where].numel():
                continue
            added = bias if mask is None else bias + mask[below, right].to(bias)
            result = F.scaled_dot_product_attention(
                *(t[where].flatten(0, 2) for t in (query, key, value)),
                attn_mask=added.unsqueeze(0),
                scale=factor,
            )
            mixed[where] = result.transpose(1, 2).reshape(windows[where].shape)
        return self.proj(mixed)


_BODY, _LAST = slice(None, -1), slice(-1, None)
_ALL_WINDOWS = ((0, 0, slice(None), slice(None)),)
_EDGE_PARTS = (
    (0, 0, _BODY, _BODY),
    (0, 1, _BODY, _LAST),
    (1, 0, _LAST, _BODY),
    (1, 1, _LAST, _LAST),
)


class WindowAttentionV1(WindowAttention):
    """Scaled dot-product attention with a learned table of biases."""

    def __init__(self, width: int, heads: int, window: int, ops: Ops) -> None:
        super().__init__(width, heads, ops)
        self.bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))

    def offsets(self, window: int, x: Tensor) -> Tensor:
        side = 2 * window - 1
        if self.bias_table.shape[0] != side * side:
            raise ValueError(
                f"A Swin V1 model works only at its trained size: its windows have "
                f"{math.isqrt(self.bias_table.shape[0])} offsets per side, not {side}."
            )
        return self.bias_table.to(x).T.reshape(self.heads, side, side)


class WindowAttentionV2(WindowAttention):
    """Cosine attention whose biases a small network makes from log-spaced offsets."""

    def __init__(self, width: int, heads: int, bias_hidden: int, pretrained: int, ops: Ops) -> None:
        super().__init__(width, heads, ops)
        self.pretrained = pretrained
        self.logit_scale = nn.Parameter(torch.empty(heads, 1, 1))
        self.bias_mlp = nn.Sequential(
            ops.Linear(2, bias_hidden),
            nn.ReLU(),
            ops.Linear(bias_hidden, heads, bias=False),
        )

    def offsets(self, window: int, x: Tensor) -> Tensor:
        reach = max((self.pretrained or window) - 1, 1)
        line = torch.arange(1 - window, window, device=x.device, dtype=torch.float32) * (8 / reach)
        line = line.sign() * torch.log2(1 + line.abs()) / 3
        offsets = torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1)
        return 16 * self.bias_mlp(offsets.to(x)).sigmoid().permute(2, 0, 1)

    def scale(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor, float | None]:
        factor = self.logit_scale.to(query).clamp(max=MAX_LOGIT_SCALE).exp()
        return F.normalize(query, dim=-1) * factor, F.normalize(key, dim=-1), 1.0


class Block(nn.Module):
    """Window attention and feed-forward layers; V1 normalises before them, V2 after."""

    def __init__(self, config: SwinConfig, stage: int, shifted: bool, ops: Ops) -> None:
        super().__init__()
        width, heads = config.stage_widths[stage], config.heads[stage]
        self.version = config.version
        self.window = config.window
        self.shifted = shifted
        self.attn: WindowAttention
        if config.version == 1:
            trained_map = config.side // config.patch >> stage
            window = min(config.window, trained_map)
            self.attn = WindowAttentionV1(width, heads, window, ops)
        else:
            pretrained = config.pretrained_window[stage]
            self.attn = WindowAttentionV2(width, heads, config.bias_hidden, pretrained, ops)
        self.norm_attn = ops.LayerNorm(width, eps=config.norm_eps)
        self.mlp = MLP(width, config.mlp_hidden[stage], False, ops)
        self.norm_mlp = ops.LayerNorm(width, eps=config.norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """B×side×side×C → the same shape."""
        if self.version == 1:
            x = x + self._attend(self.norm_attn(x))
            return x + self.mlp(self.norm_mlp(x))
        x = x + self.norm_attn(self._attend(x))
        return x + self.norm_mlp(self.mlp(x))

    def _attend(self, x: Tensor) -> Tensor:
        side = x.shape[1]
        window = min(self.window, side)
        if side % window:
            raise ValueError(
                f"A map of {side}×{side} tokens cannot be cut into windows of {window}×{window}."
            )
        shift = window // 2 if self.shifted and side > window else 0
        if shift:
            x = x.roll((-shift, -shift), dims=(1, 2))
        offsets = partial(self.attn.offsets, window, x)
        expand = partial(expand_offsets, grid=(window, window))
        bias = BIASES.get(self.attn, (window, x.device, x.dtype), offsets, expand)
        mask = _shift_mask(window, shift, x) if shift else None
        count = side // window
        # B×side×side×C → B×count×count×window×window×C, and back after the attention.
        windows = x.unflatten(1, (count, window)).unflatten(3, (count, window)).transpose(2, 3)
        mixed = self.attn(windows.flatten(3, 4), bias, mask)
        x = mixed.unflatten(3, (window, window)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
        return x.roll((shift, shift), dims=(1, 2)) if shift else x


class Merge(nn.Module):
    """Merge 2×2 tokens into one of twice the channels, at half the resolution."""

    def __init__(self, config: SwinConfig, stage: int, ops: Ops) -> None:
        super().__init__()
        width = config.stage_widths[stage]
        self.norm_first = config.version == 1
        self.norm = ops.LayerNorm(4 * width if self.norm_first else 2 * width, eps=config.norm_eps)
        self.reduction = ops.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """B×h×w×C → B×h/2×w/2×2C."""
        corners = (x[:, i::2, j::2] for j in (0, 1) for i in (0, 1))  # rows change first
        x = torch.cat(list(corners), dim=-1)  # B×h/2×w/2×4C
        return self.reduction(self.norm(x)) if self.norm_first else self.norm(self.reduction(x))


class SwinStage(nn.Module):
    """Blocks at one resolution, every second one with shifted windows."""

    def __init__(self, config: SwinConfig, stage: int, ops: Ops) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(config, stage, i % 2 == 1, ops) for i in range(config.stage_depths[stage])
        )

    def forward(self, x: Tensor) -> Tensor:
        """B×side×side×C → the same shape."""
        for block in self.blocks:
            x = block(x)
        return x


class PatchEmbed(nn.Module):
    """One linear projection per patch, normalised."""

    def __init__(self, config: SwinConfig, ops: Ops) -> None:
        super().__init__()
        self.proj = ops.Conv2d(3, config.width, kernel_size=config.patch, stride=config.patch)
        self.norm = ops.LayerNorm(config.width, eps=config.norm_eps)

    def forward(self, images: Tensor) -> Tensor:
        """B×3×H×W → B×h×w×C."""
        return self.norm(self.proj(images).permute(0, 2, 3, 1))


class Swin(nn.Module):
    """Square images → four stages at 1/4, 1/8, 1/16 and 1/32 of the size."""

    def __init__(self, config: SwinConfig, ops: Ops) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(config, ops)
        self.stages = nn.ModuleList(SwinStage(config, i, ops) for i in range(4))
        merges = (Merge(config, i, ops) for i in range(3))
        self.merges = nn.ModuleList([*merges, nn.Identity()])

    def forward(self, images: Tensor) -> list[Stage]:
        """B×3×H×H → four stages: maps B×C×h×h, B×2C×h/2×h/2, and so on.

        Raises:
            ValueError: the images are not square, or windows do not tile every map.
        """
        height, width = images.shape[-2:]
        if height != width:
            raise ValueError(f"A Swin model takes square images, not {height}×{width} pixels.")
        x = self.patch_embed(images)  # B×h×h×C
        outputs = []
        for stage, merge in zip(self.stages, self.merges, strict=True):
            x = stage(x)
            outputs.append(Stage(x.permute(0, 3, 1, 2), None))
            x = merge(x)
        return outputs


def _shift_mask(window: int, shift: int, x: Tensor) -> Tensor:
    """2×2×L×L: in the last row or column of windows, separates the tokens that the shift joined."""
    edge = torch.arange(window, device=x.device) >= window - shift
    none = torch.zeros_like(edge)
    regions = torch.stack(
        [
            torch.stack([(row[:, None] * 2 + column[None, :]).flatten() for column in (none, edge)])
            for row in (none, edge)
        ]
    )
    apart = regions[..., :, None] != regions[..., None, :]
    return torch.zeros(apart.shape, device=x.device).masked_fill_(apart, MASKED_LOGIT)
