"""Points and tokens on the grid of patches."""

import torch
from torch import Tensor

from ..depth.config import SwinConfig
from ..depth.preprocessing import network_size
from ..estimate.model import DepthModel

Grid = tuple[int, int]  # rows, columns
Point = tuple[float, float]  # x, y from 0 (left, top) to 1


def patch_grid(model: DepthModel, size: tuple[int, int], resolution: int | None = None) -> Grid:
    """Rows and columns of patches in images of a size (height, width)."""
    height, width = network_size(size, model.config.image, resolution)
    encoder = model.config.encoder
    patch = encoder.patch if isinstance(encoder, SwinConfig) else encoder.multiple
    return height // patch, width // patch


def point_to_cell(point: Point, grid: Grid) -> tuple[int, int]:
    """Row and column of the cell that contains a point.

    Raises:
        ValueError: the point is outside the image.
    """
    if not all(0 <= coordinate <= 1 for coordinate in point):
        raise ValueError(
            f"The point is x = {point[0]:g}, y = {point[1]:g}; both go from 0 (left, top) to 1 "
            "(right, bottom)."
        )
    rows, columns = grid
    return min(int(point[1] * rows), rows - 1), min(int(point[0] * columns), columns - 1)


def tokens_to_map(tokens: Tensor, grid: Grid) -> Tensor:
    """Tokens as a map, without a copy: B×C×rows×columns.

    Args:
        tokens: B×N×C patches, B×(1+N)×C with the cls token first, or B×rows×columns×C.
        grid: rows and columns of the patches; B×rows×columns×C tokens have their own.
    """
    if tokens.ndim == 4:
        return tokens.permute(0, 3, 1, 2)
    patches = tokens[:, tokens.shape[1] - grid[0] * grid[1] :]
    return patches.transpose(1, 2).unflatten(2, grid)


def copy_to_cpu(tensor: Tensor) -> Tensor:
    """A float32 copy in main memory, so that the network's own tensor can be freed."""
    return tensor.detach().to("cpu", torch.float32, copy=True)
