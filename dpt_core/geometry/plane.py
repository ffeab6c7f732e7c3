"""Depth without its dominant plane: what stands on a floor or hangs on a wall."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..depth_map import Depth, check_frames, check_mask, disparity, valid_pixels
from .scale_shift import INLIER, SIGMA_PER_MEDIAN

CANDIDATES = 256  # planes through three random pixels each
FIT_SAMPLES = 20_000  # pixels of a frame that planes are fitted to
SCORE_SAMPLES = 1024  # of those, the pixels that candidates are scored by


class PlaneRemoval(NamedTuple):
    """Depth without its dominant plane.

    Attributes:
        depth: inverse depth above the plane: 0 on it, positive in front of it.
        plane: B×H×W bool, the pixels that lie in the plane.
    """

    depth: Depth
    plane: Tensor


def remove_plane(depth: Depth, mask: Tensor | None = None) -> PlaneRemoval:
    """Subtract the plane that most pixels lie in: a floor, a table, a wall.

    A plane in space is a plane in inverse depth too, a·column + b·row + c, whatever the camera
    and the model's scale and shift. It is found by least median of squares over random triples
    of pixels (the same ones at every call) and fitted to its inliers.

    Args:
        depth: raw depth of any kind.
        mask: B×H×W or 1×H×W, above 0.5 where to search for the plane; None: everywhere.

    Raises:
        ValueError: a mask of another size, or fewer than three valid pixels to fit to.
    """
    check_frames(depth)
    masks = None if mask is None else check_mask(mask, depth)
    height, width = depth.values.shape[-2:]
    row, column = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    grid = torch.stack([column, row, torch.ones_like(row)], dim=-1)  # H×W×3
    values = torch.empty_like(depth.values, dtype=torch.float32)
    in_plane = torch.zeros_like(depth.values, dtype=torch.bool)
    for number in range(len(depth.values)):
        frame, valid = disparity(depth.frame(number))[0], valid_pixels(depth, number)
        searched = valid if masks is None else valid & masks[number]
        plane, tolerance = _fit_plane(grid[searched], frame[searched])
        above = frame - grid @ plane  # H×W
        values[number] = torch.where(valid, above, 0.0)
        in_plane[number] = valid & (above.abs() <= tolerance)
    return PlaneRemoval(depth._replace(values=values, kind="inverse"), in_plane)


def _fit_plane(grid: Tensor, values: Tensor) -> tuple[Tensor, float]:
    """Coefficients of a plane, 3, and how far from it a pixel may be and still lie in it.

    Args:
        grid: N×3, column, row and 1.
        values: N disparities.
    """
    if len(values) < 3:
        raise ValueError(
            f"A plane needs three pixels with valid depth; {len(values)} were given. Check the "
            "depth, or paint a larger mask."
        )
    step = max(1, len(values) // FIT_SAMPLES)
    grid, values = grid[::step], values[::step]
    generator = torch.Generator().manual_seed(0)
    triples = torch.randint(len(values), (CANDIDATES, 3), generator=generator)
    corners, heights = grid[triples], values[triples]  # K×3×3 and K×3
    independent = torch.linalg.det(corners).abs() > 1e-3
    if not independent.any():
        plane = torch.linalg.lstsq(grid.double(), values.double()).solution.float()
    else:
        planes = torch.linalg.solve(corners[independent], heights[independent])
        scored = slice(None, None, max(1, len(values) // SCORE_SAMPLES))
        residual = (grid[scored] @ planes.T - values[scored].unsqueeze(1)).abs()
        plane = planes[residual.median(dim=0).values.argmin()]
    floor = 1e-4 * float(values.amax() - values.amin())
    tolerance = floor
    for _ in range(3):
        residual = (grid @ plane - values).abs()
        tolerance = max(INLIER * SIGMA_PER_MEDIAN * float(residual.median()), floor)
        inlier = residual <= tolerance
        if inlier.sum() < 3:
            break
        plane = torch.linalg.lstsq(grid[inlier].double(), values[inlier].double()).solution.float()
    return plane, tolerance
