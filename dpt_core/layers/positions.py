"""Learned absolute positions, resampled to the grid of the image."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Grid = tuple[int, int]  # rows, columns


def resample_dinov2(table: Tensor, grid: Grid) -> Tensor:
    """1×C×g×g → 1×C×rows×columns as DINOv2 does (arXiv:2304.07193, official code).

    Bicubic with a *factor* of (grid + 0.1) / g, so that the samples are not where a resize to
    a size would put them. A square grid with the trained number of positions is left unchanged;
    another shape with the same number is not.
    """
    rows, columns = grid
    trained_rows, trained_columns = table.shape[-2:]
    if rows == columns and rows * columns == trained_rows * trained_columns:
        return table
    factor = ((rows + 0.1) / trained_rows, (columns + 0.1) / trained_columns)
    return F.interpolate(table, scale_factor=factor, mode="bicubic")


def resample_bilinear(table: Tensor, grid: Grid) -> Tensor:
    """1×C×g×g → 1×C×rows×columns as MiDaS v3.0 does (arXiv:2103.13413, official code)."""
    if table.shape[-2:] == grid:
        return table
    return F.interpolate(table, size=grid, mode="bilinear", align_corners=False)


RESAMPLERS: dict[str, Callable[[Tensor, Grid], Tensor]] = {
    "dinov2": resample_dinov2,
    "bilinear": resample_bilinear,
}


class PositionEncoding(nn.Module):
    """Add positions to B×(1+N)×C tokens: one for the cls token, a trained map for patches.

    Resampling runs in float32 whatever the model's dtype: positions rounded to half precision
    first would be off by far more than the rounding of the sum.
    """

    def __init__(self, width: int, grid: Grid, resampling: str) -> None:
        super().__init__()
        self.resampling = resampling
        self.cls_embedding = nn.Parameter(torch.empty(1, 1, width))
        self.base_patch_embedding = nn.Parameter(torch.empty(1, width, *grid))

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B×(1+N)×C tokens of a grid of N patches → the same shape."""
        table = self.base_patch_embedding.to(tokens.device, torch.float32)
        patches = RESAMPLERS[self.resampling](table, grid).flatten(2).transpose(1, 2)  # 1×N×C
        positions = torch.cat([self.cls_embedding.to(patches), patches], dim=1)
        return tokens + positions.to(tokens)


class NoPositions(nn.Module):
    """A stand-in for encoders whose attention uses relative positions instead."""

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B×(1+N)×C tokens → the same tensor."""
        return tokens
