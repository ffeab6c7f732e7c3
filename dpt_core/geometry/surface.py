"""Raw depth to points and normals in space.

Camera space is OpenCV's: x right, y down, z forward. Depth is z, not the length of the ray.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .camera import rays

SIMILAR = 3.0  # a jump this many times the other neighbour's leads to another surface


class Surface(NamedTuple):
    """What one frame shows, in space.

    Attributes:
        distance: H×W float32, z; infinite where there is none.
        points: H×W×3 float32; infinite where there is none.
        valid: H×W bool.
    """

    distance: Tensor
    points: Tensor
    valid: Tensor


def surface(distance: Tensor, valid: Tensor, intrinsics: Tensor) -> Surface:
    """Points of one frame.

    Args:
        distance: H×W, z.
        valid: H×W bool.
        intrinsics: 3×3 in units of the image's size; see `camera`.
    """
    height, width = distance.shape
    distance = torch.where(valid, distance, torch.inf)
    points = rays(intrinsics, height, width) * distance.unsqueeze(-1)
    return Surface(distance, points.masked_fill_(~valid.unsqueeze(-1), torch.inf), valid)


def normals(points: Tensor) -> Tensor:
    """Unit normals that look at the camera, of H×W×3 points; 0 where a point has none.

    Of a pixel's two neighbours in each direction the one at the more similar distance is
    taken, so that the edge of an object has the object's normal and not a bevel. Where both are
    as similar, that is the slope between the two.
    """
    valid = torch.isfinite(points).all(dim=-1)
    along_x = _slope(points, valid, dim=1)
    along_y = _slope(points, valid, dim=0)
    normal = F.normalize(torch.linalg.cross(along_y, along_x), dim=-1)
    away = (normal * torch.where(valid.unsqueeze(-1), points, 0.0)).sum(dim=-1, keepdim=True) > 0
    return torch.where(valid.unsqueeze(-1), torch.where(away, -normal, normal), 0.0)


def _slope(points: Tensor, valid: Tensor, dim: int) -> Tensor:
    """From one neighbour to the next along a dimension; one-sided across edges. H×W×3."""
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
    weight = (jump_before > SIMILAR * jump_after).float()  # 1: only the one after
    weight = torch.where(jump_after > SIMILAR * jump_before, 0.0, (weight + 1) / 2)
    return torch.lerp(before, after, weight.unsqueeze(-1))


def normal_picture(normal: Tensor, convention: str) -> Tensor:
    """Unit normals …×3 → colours …×3 in [0, 1]; no normal is the colour of facing the camera.

    Args:
        normal: in camera space.
        convention: ``"controlnet"``: red is left, green up, blue to the camera, as normal
            ControlNets (NormalBae) learned it; ``"opengl"``: red is right, green up;
            ``"directx"``: red is right, green down.

    Raises:
        ValueError: another convention.
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
