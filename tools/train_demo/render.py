"""Render scenes as pictures with exact depth: light, shadow, fog and textures."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch import Tensor

from .raycast import MISS, SHAPES, Primitives, cast, normals
from .scene import Scene, rotation_x, rotation_y, rotation_z

Cast = Callable[[Tensor, Tensor, Primitives], tuple[Tensor, Tensor]]


class Rendered(NamedTuple):
    """Images B×3×H×W in [0, 1], and depth B×H×W in metres along the axis (inf: sky)."""

    images: Tensor
    depth: Tensor


class _Surfaces(NamedTuple):
    """Material, index of the shape (both B×N) and half sizes (B×N×3) of each primitive."""

    texture: Tensor
    offset: Tensor
    tile: Tensor
    tint: Tensor
    contrast: Tensor
    shape: Tensor
    half: Tensor


@torch.no_grad()
def render(
    scenes: Sequence[Scene],
    size: tuple[int, int],
    atlas: Sequence[Tensor],
    rng: Generator,
    cast_rays: Cast = cast,
) -> Rendered:
    """Render B scenes.

    Args:
        scenes: the scenes.
        size: height and width in pixels.
        atlas: a pyramid of textures, see `make_atlas`.
        rng: decides textures, sky and shadow samples.
        cast_rays: `cast`, or a replacement.
    """
    torch_rng = torch.Generator().manual_seed(int(rng.integers(2**62)))
    primitives, surfaces = _pack(scenes, rng, len(atlas[0]))
    eye, direction, pixel = _camera_rays(scenes, size)
    depth, index = cast_rays(eye, direction, primitives)
    hit = depth < MISS / 2
    point = eye + direction * torch.where(hit, depth, 1.0)[..., None]
    local, normal = _locate(point, direction, index, primitives, surfaces)
    colour = _paint(local, normal, depth * pixel, index, surfaces, atlas)
    colour = colour * _light(scenes, point, normal, size, primitives, cast_rays, torch_rng)
    sky = _sky(direction, atlas, rng, len(scenes))
    air = torch.tensor([scene.fog for scene in scenes])[:, None] * depth.clamp(max=5000)
    clear = torch.where(hit, torch.exp(-air), 0.0)[..., None]
    haze = sky.mean(dim=1, keepdim=True)
    colour = torch.where(hit[..., None], colour * clear + haze * (1 - clear), sky)
    batch, (height, width) = len(scenes), size
    images = colour.transpose(1, 2).reshape(batch, 3, height, width)
    depth = torch.where(hit, depth, torch.inf).reshape(batch, height, width)
    return Rendered(images.clamp(0, 1), depth)


def _pack(scenes: Sequence[Scene], rng: Generator, textures: int) -> tuple[Primitives, _Surfaces]:
    batch = len(scenes)
    inverse, centre, parts = {}, {}, []
    for kind, shape in enumerate(SHAPES):
        solids = [[solid for solid in scene.solids if solid.shape == shape] for scene in scenes]
        count = max(4, *map(len, solids))
        matrices = np.zeros((batch, count, 3, 3), np.float32)
        matrices[...] = np.eye(3) * 1e4  # padding: tiny, and far below the scene
        centres = np.full((batch, count, 3), -1e4, np.float32)
        half = np.ones((batch, count, 3), np.float32)
        look = np.zeros((batch, count, 9), np.float32)
        for b, scene in enumerate(scenes):
            seeds = rng.random((len(scene.materials), 3))
            for n, solid in enumerate(solids[b]):
                matrices[b, n] = solid.rotation.T / np.asarray(solid.half)[:, None]
                centres[b, n], half[b, n] = solid.centre, solid.half
                material = scene.materials[solid.material]
                seed = seeds[solid.material]
                look[b, n, :3] = int(seed[0] * textures), seed[1], seed[2]
                look[b, n, 3:] = (material.tile, *material.tint, material.contrast, kind)
        inverse[shape], centre[shape] = torch.from_numpy(matrices), torch.from_numpy(centres)
        parts.append((torch.from_numpy(look), torch.from_numpy(half)))
    look = torch.cat([part[0] for part in parts], dim=1)
    surfaces = _Surfaces(
        texture=look[..., 0].long(),
        offset=look[..., 1:3],
        tile=look[..., 3],
        tint=look[..., 4:7],
        contrast=look[..., 7],
        shape=look[..., 8].long(),
        half=torch.cat([part[1] for part in parts], dim=1),
    )
    return Primitives(inverse, centre), surfaces


def _camera_rays(scenes: Sequence[Scene], size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Eyes B×1×3, directions B×HW×3 of depth 1, and a pixel's side at depth 1, B×1."""
    height, width = size
    y = (torch.arange(height) + 0.5 - height / 2) / (height / 2)
    x = (torch.arange(width) + 0.5 - width / 2) / (height / 2)
    grid = torch.stack(torch.meshgrid(-y, x, indexing="ij")[::-1], dim=-1).reshape(-1, 2)
    directions, half = [], [math.tan(math.radians(scene.fov) / 2) for scene in scenes]
    for scene, tangent in zip(scenes, half, strict=True):
        camera = torch.cat([grid * tangent, torch.ones(len(grid), 1)], dim=1)
        matrix = rotation_y(scene.yaw) @ rotation_x(scene.pitch) @ rotation_z(scene.roll)
        directions.append(camera @ torch.from_numpy(matrix.T.astype(np.float32)))
    eye = torch.tensor([scene.eye for scene in scenes])[:, None]
    pixel = torch.tensor(half)[:, None] * (2 / height)
    return eye, torch.stack(directions), pixel


def _pick(values: Tensor, index: Tensor) -> Tensor:
    """The entries of values B×N×… at indices B×P, B×P×…."""
    flat = values.flatten(2) if values.dim() > 2 else values[..., None]
    rows = flat.gather(1, index[..., None].expand(-1, -1, flat.shape[-1]))
    return rows.unflatten(2, values.shape[2:]) if values.dim() > 2 else rows.squeeze(-1)


def _locate(
    point: Tensor, direction: Tensor, index: Tensor, primitives: Primitives, surfaces: _Surfaces
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Points in metres in their solid's own axes; normals there and in the world, B×P×3."""
    inverse = _pick(primitives.all_inverses(), index)
    unit = (inverse @ (point - _pick(primitives.all_centres(), index))[..., None]).squeeze(-1)
    inside = normals(unit, _pick(surfaces.shape, index))
    # Normals are transformed by the transpose of the inverse.
    world = F.normalize((inverse.transpose(-1, -2) @ inside[..., None]).squeeze(-1), dim=-1)
    world = torch.where((world * direction).sum(-1, keepdim=True) > 0, -world, world)
    half = _pick(surfaces.half, index)
    return unit * half, (inside / half, world)


def _paint(
    local: Tensor,
    normal: tuple[Tensor, Tensor],
    footprint: Tensor,
    index: Tensor,
    surfaces: _Surfaces,
    atlas: Sequence[Tensor],
) -> Tensor:
    """Colours B×P×3: a texture projected along the axis that the surface faces most."""
    axis = normal[0].abs().argmax(dim=-1)
    others = torch.tensor([[2, 1], [0, 2], [0, 1]])[axis]
    tile = _pick(surfaces.tile, index)
    uv = local.gather(-1, others) / tile[..., None] + _pick(surfaces.offset, index)
    texture, side = _pick(surfaces.texture, index), atlas[0].shape[1]
    level = (footprint / tile * side).clamp_min(1).log2().round().clamp(max=len(atlas) - 1)
    colour = torch.zeros_like(local)
    for i, table in enumerate(atlas):
        size = table.shape[1]
        at = (uv.remainder(1.0) * size).long().clamp(0, size - 1)
        flat = (texture * size + at[..., 1]) * size + at[..., 0]
        colour = torch.where((level == i)[..., None], table.view(-1, 3)[flat], colour)
    tint, contrast = _pick(surfaces.tint, index), _pick(surfaces.contrast, index)
    return (tint + colour * contrast[..., None]).clamp(0.01, 1)


def _light(
    scenes: Sequence[Scene],
    point: Tensor,
    normal: tuple[Tensor, Tensor],
    size: tuple[int, int],
    primitives: Primitives,
    cast_rays: Cast,
    torch_rng: torch.Generator,
) -> Tensor:
    """The light B×P×3 on each point: a lamp with a soft shadow, and ambient light.

    Shadow and occlusion are traced for one pixel in four, and smoothed.
    """
    batch, (height, width), world = len(scenes), size, normal[1]
    pixels = torch.arange(height * width).view(height, width)[::2, ::2].reshape(-1)
    start, facing = point[:, pixels], world[:, pixels]
    start = start + facing * (0.002 + 0.002 * start.norm(dim=-1, keepdim=True))
    lamp = torch.tensor([scene.light for scene in scenes])[:, None]
    indoor = torch.tensor([scene.indoor for scene in scenes])[:, None]
    jitter = torch.randn(start.shape, generator=torch_rng)
    soft = torch.where(indoor[..., None], 0.1, 200.0)
    shadow = cast_rays(start, lamp + jitter * soft - start, primitives)[0] > 1
    around = F.normalize(F.normalize(jitter, dim=-1) + facing * 1.01, dim=-1)
    reach = 0.4 * (start - point.new_tensor([scene.eye for scene in scenes])[:, None]).norm(dim=-1)
    open_sky = (cast_rays(start, around, primitives)[0] / reach.clamp_min(1e-3)).clamp(0, 1)
    small = torch.stack([shadow.float(), open_sky], dim=1)
    small = small.view(batch, 2, -(-height // 2), -(-width // 2))
    small = F.avg_pool2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    seen = F.interpolate(small, size=size, mode="bilinear").flatten(2)
    facing_lamp = (F.normalize(lamp - point, dim=-1) * world).sum(-1).clamp_min(0)
    ambient = torch.tensor([scene.ambient for scene in scenes])[:, None]
    from_above = 0.75 + 0.25 * world[..., 1]
    glow = ambient * from_above * (0.35 + 0.65 * seen[:, 1])
    warm = torch.tensor([1.0, 0.95, 0.85])
    return glow[..., None] + ((1.2 - ambient) * facing_lamp * seen[:, 0])[..., None] * warm


def _sky(direction: Tensor, atlas: Sequence[Tensor], rng: Generator, batch: int) -> Tensor:
    """Colours B×P×3: a gradient from the horizon to the zenith, with clouds made of a texture."""
    top = torch.from_numpy(rng.uniform(0.1, 0.9, (batch, 1, 3)).astype(np.float32))
    blue = torch.from_numpy((rng.random((batch, 1, 1)) < 0.6).astype(np.float32))
    top = top.mean(-1, keepdim=True) + (top - top.mean(-1, keepdim=True)) * 0.2
    top = top + blue * torch.tensor([-0.15, 0.0, 0.2])
    low = torch.from_numpy(rng.uniform(0.5, 1, (batch, 1, 1)).astype(np.float32))
    unit = F.normalize(direction, dim=-1)
    height = unit[..., 1:].clamp_min(0)[..., :1].sqrt()
    table = atlas[2]
    cloud = torch.from_numpy(rng.integers(0, len(table), (batch, 1)))
    at = unit[..., ::2] / (unit[..., 1:2].abs() + 0.15) * 0.3
    at = (at.remainder(1.0) * table.shape[1]).long().clamp(0, table.shape[1] - 1)
    flat = (cloud * table.shape[1] + at[..., 1]) * table.shape[1] + at[..., 0]
    clouds = table.view(-1, 3)[flat].mean(-1, keepdim=True)
    share = torch.from_numpy(rng.uniform(0, 0.8, (batch, 1, 1)).astype(np.float32))
    night = rng.uniform(0.02, 0.3, (batch, 1, 1)) ** (rng.random((batch, 1, 1)) < 0.15)
    bright = torch.from_numpy(night.astype(np.float32))
    return bright * (low * (1 - height) + top * height + share * clouds).clamp(0, 1)
