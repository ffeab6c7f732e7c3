"""Exact ray casting of boxes, ellipsoids, cylinders and cones, for many scenes at once.

Every primitive is a unit shape that a matrix turns, scales and moves. Rays are transformed into
its space instead, which keeps the parameter along a ray. Camera rays have a depth of 1
along the viewing axis, so the parameter of a hit *is* its depth in metres.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

MISS = 1e9  # the parameter of a ray that hits nothing
NEAR = 1e-3  # nearer hits are on the surface that the ray starts from
Intersect = Callable[..., Tensor]
SHAPES = ("box", "ellipsoid", "cylinder", "cone")


@dataclass
class Primitives:
    """The primitives of B scenes, padded to N of each shape with tiny ones out of sight.

    Attributes:
        inverse: by shape, B×N×3×3: from directions in the world to the unit shape's space.
        centre: by shape, B×N×3 in metres.
    """

    inverse: dict[str, Tensor]
    centre: dict[str, Tensor]

    def all_inverses(self) -> Tensor:
        """B×(sum of N)×3×3, in the order of the indices from `cast`."""
        return torch.cat([self.inverse[shape] for shape in SHAPES], dim=1)

    def all_centres(self) -> Tensor:
        """B×(sum of N)×3, in the order of the indices from `cast`."""
        return torch.cat([self.centre[shape] for shape in SHAPES], dim=1)


def cast(origin: Tensor, direction: Tensor, primitives: Primitives) -> tuple[Tensor, Tensor]:
    """Find the first hit of each ray.

    Args:
        origin, direction: B×P×3 (the origin may be B×1×3); directions of any length.
        primitives: the primitives of the scenes.

    Returns:
        The parameter B×P of the hit (`MISS` for none), and the index B×P of the primitive.
    """
    best, index, offset = None, None, 0
    for shape in SHAPES:
        inverse, centre = primitives.inverse[shape], primitives.centre[shape]
        nearest, which = kernel[0](origin, direction, inverse, centre, INTERSECT[shape])
        if best is None or index is None:
            best, index = nearest, which
        else:
            closer = nearest < best
            best = torch.where(closer, nearest, best)
            index = torch.where(closer, which + offset, index)
        offset += inverse.shape[1]
    assert best is not None
    assert index is not None
    return best, index


def _nearest(
    origin: Tensor, direction: Tensor, inverse: Tensor, centre: Tensor, intersect: Intersect
) -> tuple[Tensor, Tensor]:
    t = intersect(*_to_unit(origin, direction, inverse, centre))
    nearest, which = t.min(dim=1)
    return nearest, which


kernel = [_nearest]


def compile_kernels() -> None:
    """Fuse the arithmetic of a hit into one pass over memory: three times as fast once compiled."""
    torch._dynamo.config.recompile_limit = 32  # four shapes, two shapes of origins
    kernel[0] = torch.compile(_nearest, dynamic=True)


def _to_unit(
    origin: Tensor, direction: Tensor, inverse: Tensor, centre: Tensor
) -> tuple[Tensor, ...]:
    """Rays in the space of each primitive: six tensors B×N×P (or B×N×1) of coordinates."""
    shift = (inverse @ centre[..., None]).squeeze(-1)  # B×N×3
    batch, count = shift.shape[:2]
    rows = inverse.reshape(batch, count * 3, 3)
    o = (rows @ origin.transpose(1, 2)).unflatten(1, (count, 3)) - shift[..., None]
    d = (rows @ direction.transpose(1, 2)).unflatten(1, (count, 3))
    return (*o.unbind(2), *d.unbind(2))


def _first(near: Tensor, far: Tensor, hit: Tensor) -> Tensor:
    """The first of two parameters that is in front of the ray's start, or `MISS`."""
    t = torch.where(near > NEAR, near, far)
    return torch.where(hit & (t > NEAR), t, MISS)


def _slabs(ox: Tensor, oy: Tensor, oz: Tensor, dx: Tensor, dy: Tensor, dz: Tensor) -> Tensor:
    near, far = None, None
    for o, d in ((ox, dx), (oy, dy), (oz, dz)):
        slope = 1 / torch.where(d.abs() < 1e-9, 1e-9, d)
        middle, half = -o * slope, slope.abs()
        near = middle - half if near is None else torch.maximum(near, middle - half)
        far = middle + half if far is None else torch.minimum(far, middle + half)
    assert near is not None
    assert far is not None
    return _first(near, far, near < far)


def _sphere(ox: Tensor, oy: Tensor, oz: Tensor, dx: Tensor, dy: Tensor, dz: Tensor) -> Tensor:
    a = dx * dx + dy * dy + dz * dz
    b = ox * dx + oy * dy + oz * dz
    c = ox * ox + oy * oy + oz * oz - 1
    root = b * b - a * c
    span = root.clamp_min(0).sqrt()
    return _first((-b - span) / a, (-b + span) / a, root > 0)


def _cylinder(ox: Tensor, oy: Tensor, oz: Tensor, dx: Tensor, dy: Tensor, dz: Tensor) -> Tensor:
    """Radius 1 around y, from y = −1 to 1: an endless tube cut by a slab."""
    a = (dx * dx + dz * dz).clamp_min(1e-12)
    b = ox * dx + oz * dz
    root = b * b - a * (ox * ox + oz * oz - 1)
    span = root.clamp_min(0).sqrt()
    slope = 1 / torch.where(dy.abs() < 1e-9, 1e-9, dy)
    middle, half = -oy * slope, slope.abs()
    near = torch.maximum((-b - span) / a, middle - half)
    far = torch.minimum((-b + span) / a, middle + half)
    return _first(near, far, (root > 0) & (near < far))


def _cone(ox: Tensor, oy: Tensor, oz: Tensor, dx: Tensor, dy: Tensor, dz: Tensor) -> Tensor:
    """Apex at y = 1, radius 1 at y = −1, without a base (it stands on something)."""
    h, k = (1 - oy) / 2, -dy / 2  # the radius along the ray is h + k·t
    a = dx * dx + dz * dz - k * k
    a = torch.where(a.abs() < 1e-9, 1e-9, a)
    b = ox * dx + oz * dz - h * k
    root = b * b - a * (ox * ox + oz * oz - h * h)
    span = root.clamp_min(0).sqrt()
    t = torch.full_like(root, MISS)
    for hit in ((-b - span) / a, (-b + span) / a):
        good = (root > 0) & (hit > NEAR) & ((oy + hit * dy).abs() <= 1)
        t = torch.minimum(t, torch.where(good, hit, MISS))
    return t


INTERSECT = {"box": _slabs, "ellipsoid": _sphere, "cylinder": _cylinder, "cone": _cone}


def normals(local: Tensor, kind: Tensor) -> Tensor:
    """Outward normals B×P×3, not of unit length, in the unit shapes' space.

    Args:
        local: B×P×3, the hit points in that space.
        kind: B×P, the index into `SHAPES`.
    """
    x, y, z = local.unbind(-1)
    zero = torch.zeros_like(x)
    largest = local.abs().argmax(dim=-1, keepdim=True)
    box = torch.zeros_like(local).scatter(-1, largest, local.gather(-1, largest).sign())
    cap = (x * x + z * z).sqrt() < y.abs()
    cylinder = torch.where(
        cap[..., None],
        torch.stack([zero, y.sign(), zero], -1),
        torch.stack([x, zero, z], -1),
    )
    cone = torch.stack([x, (1 - y) / 4, z], -1)
    choices = torch.stack([box, local, cylinder, cone], dim=-2)
    return choices.gather(-2, kind[..., None, None].expand(*kind.shape, 1, 3)).squeeze(-2)
