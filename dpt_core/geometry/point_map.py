"""Depth to points and normals in camera space.

Camera space is OpenCV's: x right, y down, z forward. Depth is z, not the length of the ray.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .camera import rays

EDGE_RATIO = 3.0  # a step in z this many times the opposite one leads to another surface


class PointMap(NamedTuple):
    """A point in camera space for every pixel of one frame.

    Attributes:
        z: H×W float32; infinite where it is not valid.
        points: H×W×3 float32 (x, y, z); infinite where not valid.
        valid: H×W bool.
    """

    z: Tensor
    points: Tensor
    valid: Tensor


def unproject(z: Tensor, valid: Tensor, intrinsics: Tensor) -> PointMap:
    """The points of one frame.

    Args:
        z: H×W float32.
        valid: H×W bool.
        intrinsics: 3×3 in units of the image's width and height; see `camera`.
    """
    height, width = z.shape
    z = torch.where(valid, z, torch.inf)
    points = rays(intrinsics, height, width) * z.unsqueeze(-1)  # H×W×3
    return PointMap(z, points.masked_fill_(~valid.unsqueeze(-1), torch.inf), valid)


def normals(points: Tensor) -> Tensor:
    """Unit normals of H×W×3 points, facing the camera; 0 where a point is not finite. H×W×3.

    In each direction the slope is taken to the neighbour of the more similar z, so that an
    object's edge has the object's normal and not a bevel. Where both are similar it is the slope
    between the two.
    """
    valid = torch.isfinite(points).all(dim=-1)
    along_x = _slope(points, valid, dim=1)
    along_y = _slope(points, valid, dim=0)
    normal = F.normalize(torch.linalg.cross(along_y, along_x), dim=-1)
    away = (normal * torch.where(valid.unsqueeze(-1), points, 0.0)).sum(dim=-1, keepdim=True) > 0
    return torch.where(valid.unsqueeze(-1), torch.where(away, -normal, normal), 0.0)


def _slope(points: Tensor, valid: Tensor, dim: int) -> Tensor:
    """Central differences along a dimension, one-sided at edges. H×W×3 points → H×W×3."""
    size = points.shape[dim]
    if size == 1:
        return torch.zeros_like(points)
    step = points.narrow(dim, 1, size - 1) - points.narrow(dim, 0, size - 1)
    both = valid.narrow(dim, 1, size - 1) & valid.narrow(dim, 0, size - 1)
    step = torch.where(both.unsqueeze(-1), step, 0.0)
    jump = torch.where(both, step[..., 2].abs(), torch.inf)
    edge = torch.zeros_like(step.narrow(dim, 0, 1))
    none = torch.full_like(jump.narrow(dim, 0, 1), torch.inf)
    before, after = torch.cat([edge, step], dim), torch.cat([step, edge], dim)
    jump_before, jump_after = torch.cat([none, jump], dim), torch.cat([jump, none], dim)
    weight = (jump_before > EDGE_RATIO * jump_after).float()  # 1: only the one after
    weight = torch.where(jump_after > EDGE_RATIO * jump_before, 0.0, (weight + 1) / 2)
    return torch.lerp(before, after, weight.unsqueeze(-1))


def colorize_normals(normal: Tensor, convention: str) -> Tensor:
    """Unit normals …×3 → colours …×3 in [0, 1]; a missing normal faces the camera.

    Args:
        normal: …×3 in camera space; 0 where there is none.
        convention: ``"controlnet"``: red is left, green up, blue to the camera, as normal
            ControlNets (NormalBae) learned it; ``"opengl"``: red is right, green up;
            ``"directx"``: red is right, green down.

    Raises:
        ValueError: there is no such convention.
    """
    signs = {
        "controlnet": (-1.0, -1.0, -1.0),
        "opengl": (1.0, -1.0, -1.0),
        "directx": (1.0, 1.0, -1.0),
    }
    if convention not in signs:
        raise ValueError(f"There is no convention {convention!r}; choose one of {tuple(signs)}.")
    facing = normal.new_tensor([0.0, 0.0, -1.0])
    shown = torch.where((normal == 0).all(dim=-1, keepdim=True), facing, normal)
    return shown * normal.new_tensor(signs[convention]) * 0.5 + 0.5
