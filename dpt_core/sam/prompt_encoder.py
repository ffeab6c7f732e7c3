"""Points, boxes and masks to the input of the mask decoder: tokens and a map."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..layers import Ops
from ..layers.norm import LayerNorm2d
from .config import SAMConfig


class CoordinateEncoder(nn.Module):
    """Random Fourier features of coordinates (arXiv:2006.10739), in float32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gaussian_matrix = nn.Parameter(torch.empty(2, width // 2))

    def forward(self, coordinates: Tensor) -> Tensor:
        """Coordinates …×2 (x, y) in [0, 1] → features …×width."""
        coordinates = coordinates.float()
        phases = (2 * coordinates - 1) @ self.gaussian_matrix.to(coordinates) * (2 * math.pi)
        return torch.cat([phases.sin(), phases.cos()], dim=-1)

    def dense(self, grid: int, device: torch.device) -> Tensor:
        """Features of the pixel centres of a square map: 1×width×grid×grid."""
        centres = (torch.arange(grid, device=device, dtype=torch.float32) + 0.5) / grid
        rows, columns = torch.meshgrid(centres, centres, indexing="ij")
        return self(torch.stack([columns, rows], dim=-1)).permute(2, 0, 1).unsqueeze(0)


class PointEncoder(nn.Module):
    """One vector for foreground, one for background, and one for padding."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fg_embed = nn.Parameter(torch.empty(1, width))
        self.bg_embed = nn.Parameter(torch.empty(1, width))
        self.not_a_point_embed = nn.Parameter(torch.empty(1, width))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features N×P×width and labels N×P (1, 0, or −1: padding) → N×P×width."""
        labels = labels.unsqueeze(-1)  # N×P×1
        embed = torch.where(labels == 1, self.fg_embed.to(features), self.bg_embed.to(features))
        return torch.where(labels == -1, self.not_a_point_embed.to(features), features + embed)


class BoxEncoder(nn.Module):
    """One vector for the top left corner and one for the bottom right corner."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.tl_embed = nn.Parameter(torch.empty(1, width))
        self.br_embed = nn.Parameter(torch.empty(1, width))

    def forward(self, features: Tensor) -> Tensor:
        """Features of two corners, N×2×width → N×2×width."""
        return features + torch.cat([self.tl_embed, self.br_embed]).to(features)


class MaskEncoder(nn.Module):
    """A low-resolution mask to a map like the image embedding, or a vector for no mask."""

    def __init__(self, config: SAMConfig, ops: Ops) -> None:
        super().__init__()
        first, second = config.mask_channels
        eps = config.mask_norm_eps
        self.no_mask_embed = nn.Parameter(torch.empty(1, config.width, 1, 1))
        self.downscaler = nn.Sequential(
            ops.Conv2d(1, first, kernel_size=2, stride=2),
            LayerNorm2d(first, eps),
            nn.GELU(),
            ops.Conv2d(first, second, kernel_size=2, stride=2),
            LayerNorm2d(second, eps),
            nn.GELU(),
            ops.Conv2d(second, config.width, kernel_size=1),
        )

    def forward(self, masks: Tensor | None, embedding: Tensor) -> Tensor:
        """N×1×4h×4w logits → N×width×h×w; None → 1×width×1×1, added at every pixel."""
        if masks is None:
            return self.no_mask_embed.to(embedding)
        return self.downscaler(masks.to(embedding))


class Prompts(NamedTuple):
    """N prompts in pixels of the network's input.

    Attributes:
        points: N×P×2 pixels (x, y), or None.
        labels: N×P: 1 foreground, 0 background, −1 padding; only with `points`.
        boxes: N×4 pixels (x, y, x, y), or None.
        masks: N×1×4h×4w logits, or None.
    """

    points: Tensor | None
    labels: Tensor | None
    boxes: Tensor | None
    masks: Tensor | None

    @property
    def num_prompts(self) -> int:
        """N."""
        return next(len(field) for field in self if field is not None)

    def select(self, chunk: slice) -> "Prompts":
        """Some of the prompts."""
        return Prompts(*(None if field is None else field[chunk] for field in self))

    def to(self, device: torch.device) -> "Prompts":
        """The same on a device."""
        return Prompts(*(None if field is None else field.to(device) for field in self))


class PromptEncoder(nn.Module):
    """Sparse prompts (points, boxes) to tokens and dense ones (masks) to a map."""

    def __init__(self, config: SAMConfig, ops: Ops) -> None:
        super().__init__()
        self.side = config.encoder.side
        self.coordinate_encoder = CoordinateEncoder(config.width)
        self.point_encoder = PointEncoder(config.width)
        self.box_encoder = BoxEncoder(config.width)
        self.mask_encoder = MaskEncoder(config, ops)

    def forward(self, prompts: Prompts, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """N prompts → tokens N×T×width, and a map to add to the embedding.

        Args:
            prompts: in pixels of the network's input.
            embedding: 1×width×h×w of the image, for its device and dtype.

        Returns:
            Tokens N×T×width of points and boxes, and N×width×h×w of masks (1×width×1×1 without).
        """
        tokens = []
        if prompts.points is not None and prompts.labels is not None:
            points, labels = prompts.points, prompts.labels
            if prompts.boxes is None:  # the decoder was trained with a padding token here
                points = torch.cat(
                    [points, points.new_zeros(len(points), 1, 2)], dim=1
                )  # N×(P+1)×2
                labels = torch.cat([labels, labels.new_full((len(labels), 1), -1)], dim=1)
            tokens.append(self.point_encoder(self._features(points), labels))
        if prompts.boxes is not None:
            tokens.append(self.box_encoder(self._features(prompts.boxes.unflatten(1, (2, 2)))))
        if not tokens and prompts.masks is not None:
            tokens.append(embedding.new_zeros(len(prompts.masks), 0, embedding.shape[1]))
        return torch.cat(tokens, dim=1).to(embedding), self.mask_encoder(prompts.masks, embedding)

    def _features(self, pixels: Tensor) -> Tensor:
        """Features N×P×width of the centres of pixels N×P×2."""
        return self.coordinate_encoder((pixels + 0.5) / self.side)
