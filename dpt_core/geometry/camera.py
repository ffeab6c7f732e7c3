"""The pinhole camera behind a depth map.

Intrinsics are 3×3 matrices in units of the image's width and height: a point (x, y, z) in camera
space (x right, y down, z forward) projects to (fx·x/z + cx, fy·y/z + cy), where (0, 0) is the
image's upper left corner and (1, 1) its lower right one. They hold at any resolution.
"""

import math

import torch
from torch import Tensor

FILM_WIDTH = 36.0  # millimetres: focal lengths are full-frame equivalents


def check_fov(fov: float) -> None:
    """Refuse a field of view that no pinhole camera has.

    Raises:
        ValueError: the angle is not between 0 and 180 degrees.
    """
    if not 0 < fov < 180:
        raise ValueError(
            f"The field of view is {fov:g} degrees; it must be more than 0 and less than 180."
        )


def intrinsics_of_fov(fov: float, width: int, height: int) -> Tensor:
    """Intrinsics 3×3 float32 of a horizontal field of view in degrees, with square pixels.

    Raises:
        ValueError: the angle is not between 0 and 180 degrees.
    """
    check_fov(fov)
    fx = 0.5 / math.tan(math.radians(fov) / 2)
    return torch.tensor([[fx, 0.0, 0.5], [0.0, fx * width / height, 0.5], [0.0, 0.0, 1.0]])


def fov_of_focal(millimetres: float) -> float:
    """Horizontal field of view in degrees of a full-frame equivalent focal length.

    Raises:
        ValueError: the focal length is not above 0.
    """
    if not millimetres > 0:
        raise ValueError(f"The focal length is {millimetres:g} mm; it must be more than 0.")
    return math.degrees(2 * math.atan(0.5 * FILM_WIDTH / millimetres))


def rays(intrinsics: Tensor, height: int, width: int) -> Tensor:
    """The viewing ray of each pixel's centre, scaled so that z is 1. H×W×3."""
    x = (torch.arange(width, dtype=torch.float32) + 0.5) / width
    y = (torch.arange(height, dtype=torch.float32) + 0.5) / height
    fx, fy, cx, cy = (float(intrinsics[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    out = torch.ones(height, width, 3)
    out[..., 0] = (x - cx) / fx
    out[..., 1] = ((y - cy) / fy).unsqueeze(1)
    return out
