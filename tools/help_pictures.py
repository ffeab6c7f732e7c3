"""Draw the pictures of the nodes' help pages: python -m tools.help_pictures

They show the library's own results on a drawn scene whose exact depth is known, so they need no
checkpoint; where a picture stands for the result of a trained model, its caption says "exact". The
same seed gives the same files. The screenshots in the help pages (the loaders, the point editor,
the stages) come from tools/help_shots.mjs.
"""

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from dpt_core import Depth
from dpt_core.depth_map import valid_pixels, z_depth
from dpt_core.estimate.detail import DetailSettings, infer_with_detail
from dpt_core.geometry.align import MeasuredPoint, align_to_points
from dpt_core.geometry.camera import intrinsics_of_fov
from dpt_core.geometry.plane import remove_plane
from dpt_core.geometry.point_map import colorize_normals, normals, unproject
from dpt_core.render import COLORMAPS, RenderSettings, colorize, control_image, depth_mask, render
from dpt_core.sam.depth_prompts import layer_prompts
from dpt_core.stages.contact_sheet import Tile, draw_sheet

from .train_demo.render import render as photograph
from .train_demo.scene import Material, Scene
from .train_demo.textures import make_atlas

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "web/docs"
MAX_BYTES = 32_000  # per file
SIZE = (300, 400)  # height and width in pixels
FOV = 60.0  # vertical, in degrees
SCALE, SHIFT = 3.0, 0.04  # unknown to a relative model: 1/z = scale·depth + shift

# Shape, x and z in metres, full size in metres, RGB.
OBJECTS = [
    ("ellipsoid", -0.75, 2.7, (0.8, 0.8, 0.8), (0.85, 0.25, 0.2)),
    ("box", 0.75, 3.3, (0.7, 1.1, 0.7), (0.25, 0.45, 0.8)),
    ("cylinder", -1.6, 4.6, (0.5, 1.9, 0.5), (0.9, 0.75, 0.3)),
    ("cone", 0.1, 5.2, (1.0, 1.5, 1.0), (0.35, 0.7, 0.4)),
    ("box", 2.1, 6.2, (0.9, 2.4, 0.5), (0.7, 0.5, 0.75)),
]


def draw(objects: list[tuple[Any, ...]], size: tuple[int, int] = SIZE) -> tuple[Tensor, Tensor]:
    """The photograph H×W×3 in [0, 1] and its depth H×W in metres."""
    rng = np.random.default_rng(5)
    scene = Scene(rng, eye=(0.0, 2.4, 0.0), pitch=0.5, fov=FOV, light=(-4.0, 9.0, -3.0))
    scene.indoor = True
    surfaces = [(0.62, 0.55, 0.48), (0.78, 0.8, 0.82)]
    for colour in [*surfaces, *(item[-1] for item in objects)]:
        scene.materials.append(Material(colour, 0.5, 1.5))
    scene.ground(0)
    scene.stand("box", 0.0, 9.0, (40.0, 8.0, 0.2), 1)
    for number, (shape, x, z, full, _) in enumerate(objects, start=len(surfaces)):
        scene.stand(shape, x, z, full, number, yaw=0.4)
    atlas = make_atlas(np.random.default_rng(2), [], 8)
    images, depth = photograph([scene], size, atlas, rng)
    return images[0].movedim(0, -1), depth[0]


def object_masks(depth: Tensor) -> Tensor:
    """K×H×W bool: where each object is visible, which is where the depth changes without it."""
    without = [draw([other for other in OBJECTS if other is not item])[1] for item in OBJECTS]
    return torch.stack([(other - depth).abs() > 1e-3 for other in without])


def relative(metres: Tensor) -> Depth:
    """The result of an exact relative model: inverse depth of unknown scale and shift."""
    return Depth(((1 / metres - SHIFT) / SCALE).unsqueeze(0), "inverse")


def picture(depth: Depth, colormap: str = "grey", **settings: Any) -> Tensor:
    """The picture H×W×3 that Render Depth makes."""
    return colorize(next(iter(render(depth, RenderSettings(**settings)))).grey, colormap)


def view_from_left(points: Tensor, colours: Tensor) -> Tensor:
    """The points H×W×3 seen by a camera to the left, as a picture H×W×3."""
    height, width = points.shape[:2]
    angle, pivot = math.radians(28), torch.tensor([0.0, 0.0, 4.5])
    turn = torch.tensor(
        [
            [math.cos(angle), 0.0, math.sin(angle)],
            [0.0, 1.0, 0.0],
            [-math.sin(angle), 0.0, math.cos(angle)],
        ]
    )
    seen = ((points.reshape(-1, 3) - pivot) @ turn.T) + pivot
    camera = intrinsics_of_fov(horizontal_fov(), width, height)
    x = ((camera[0, 0] * seen[:, 0] / seen[:, 2] + 0.5) * width).long()
    y = ((camera[1, 1] * seen[:, 1] / seen[:, 2] + 0.5) * height).long()
    out = torch.full((height, width, 3), 0.1)
    order = seen[:, 2].argsort(descending=True)  # the nearest last, on top of the others
    order = order[((x >= 0) & (x < width - 1) & (y >= 0) & (y < height - 1))[order]]
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        out[y[order] + down, x[order] + right] = colours.reshape(-1, 3)[order]
    return out


def horizontal_fov() -> float:
    """Horizontal field of view of the drawing's camera in degrees."""
    height, width = SIZE
    return 2 * math.degrees(math.atan(math.tan(math.radians(FOV / 2)) * width / height))


def coarse_model(side: int) -> Callable[[Tensor], Depth]:
    """A stand-in for a network: reads the depth from the red channel, at only `side` pixels.

    Like a network, it gives every image its own scale and shift.
    """
    calls = iter(range(10_000))

    def infer(images: Tensor) -> Depth:
        small = F.interpolate(images[:, :1], size=(side * 3 // 4, side), mode="area")
        near = F.interpolate(small, size=images.shape[-2:], mode="bicubic")[:, 0]
        number = next(calls)
        return Depth((near + 0.1) * (1 + number % 3) + 0.3 * (number % 2), "inverse")

    return infer


def load_mask_drawing() -> Any:
    """The module that draws masks; the package nodes/ can only be imported in ComfyUI."""
    path = ROOT / "nodes/segmentation/draw_masks.py"
    spec = importlib.util.spec_from_file_location("draw_masks", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(node: str, title: str, *tiles: Tile) -> None:
    """Write a labelled row of pictures as the page's JPEG, at the best quality that fits."""
    height, width = SIZE
    sheet = draw_sheet(title, tiles, width / height, 260, "bilinear")
    image = Image.fromarray((255 * sheet).round().byte().numpy())
    path = FOLDER / f"{node}.jpg"
    for quality in range(88, 30, -4):
        image.save(path, quality=quality, optimize=True)
        if path.stat().st_size <= MAX_BYTES:
            return
    raise ValueError(f"{path.name} has {path.stat().st_size} bytes; the limit is {MAX_BYTES}.")


def main() -> None:
    """Write all pictures."""
    photo, metres = draw(OBJECTS)
    exact, near = Depth(metres.unsqueeze(0), "metres"), relative(metres)
    seen = Tile("image", "a drawn scene", photo)
    control = Tile("image", "near is white", picture(near))
    raw = Tile("depth", "exact, as inverse depth", picture(near, "inferno"))

    write("DPTEstimateDepth", "Estimate Depth: what an exact model gives", seen, control)
    write("DPTDepthMap", "Depth Map: the hint of a ControlNet", seen, control)

    styles = [Tile(name, "colormap", picture(near, name)) for name in COLORMAPS]
    far = Tile("true depth", "far is white", picture(exact, style="far"))
    write("DPTRenderDepth", "Render Depth: one depth, many pictures", *styles, far)

    height, width = SIZE
    spots = [(0.34, 0.68), (0.8, 0.2), (0.64, 0.6)]
    places = [(round(x * width), round(y * height)) for x, y in spots]
    known = [MeasuredPoint(x, y, float(metres[y, x])) for x, y in places[:2]]
    aligned = align_to_points(near, known)
    tiles = []
    for (x, y), spot in zip(places, spots, strict=True):
        found, true = float(aligned.values[0, y, x]), float(metres[y, x])
        what = "given" if len(tiles) < len(known) else "found"
        tiles.append(Tile(f"{what}: {found:.2f} m", f"true: {true:.2f} m", photo, point=spot))
    shown = Tile("depth", "in metres", picture(aligned, "turbo", style="far"))
    write("DPTAlignDepth", "Align Depth: two distances give all others", *tiles, shown)

    flat = remove_plane(near)
    write(
        "DPTRemovePlane",
        "Remove Plane: what stands out from the floor",
        *(seen, control),
        Tile("depth", "without the plane", picture(flat.depth)),
        Tile("plane", "found by itself", grey(flat.plane)),
    )

    camera = intrinsics_of_fov(horizontal_fov(), width, height)
    space = unproject(z_depth(exact)[0], valid_pixels(exact, 0), camera)
    shape = Tile("normals", "ControlNet's colours", normals_of(space.points, "controlnet"))
    aside = Tile("geometry", "seen from the left", view_from_left(space.points, photo))
    write("DPTDepthToGeometry", "Depth to Geometry", seen, raw, shape, aside)
    write("DPTGeometryToDepth", "Geometry to Depth", aside, shape, raw)

    code = control_image(near).unsqueeze(1).expand(-1, 3, -1, -1)
    plain = coarse_model(40)(code)
    tiled = infer_with_detail(coarse_model(40), code, DetailSettings(tiles=4))
    write(
        "DPTEstimateDetail",
        "Estimate Depth with Detail: a coarse model",
        *(seen, Tile("image", "tiles 1", picture(plain))),
        Tile("image", "tiles 4", picture(tiled)),
        Tile("image", "exact", picture(near)),
    )

    ranges = [(0, 15), (15, 35), (35, 100)]
    masks = [
        Tile(f"{low} to {high}", "percentiles", grey(depth_mask(near, low, high)[0]))
        for low, high in ranges
    ]
    write("DPTDepthMask", "Depth Mask: what lies between two depths", seen, *masks)

    sam = load_mask_drawing()
    masks_of_objects = object_masks(metres)
    everything = sam.overlay(photo, sam.draw_masks(masks_of_objects))
    all_masks = Tile("preview", "exact masks", everything)
    write("DPTSegmentEverything", "Segment Everything: a mask for each object", seen, all_masks)
    # Floor and wall are marked as invalid, since only the objects matter here.
    prompts = layer_prompts(near._replace(valid=masks_of_objects.any(dim=0, keepdim=True)), 3)[0]
    layers = []
    for layer in range(3):
        chosen = [
            mask
            for (x, y), at in zip(prompts.points[:, 0].long().tolist(), prompts.layers, strict=True)
            for mask in masks_of_objects
            if at == layer and mask[y, x]
        ]
        shown = torch.stack(chosen).any(dim=0) if chosen else torch.zeros(SIZE, dtype=torch.bool)
        layers.append(Tile(f"layer {layer + 1}", "exact masks of what was found", grey(shown)))
    write("DPTSegmentByDepth", "Segment by Depth: objects by their distance", seen, *layers)


def normals_of(points: Tensor, convention: str) -> Tensor:
    """The normal map H×W×3 in [0, 1]."""
    return colorize_normals(normals(points), convention)


def grey(values: Tensor) -> Tensor:
    """H×W → H×W×3."""
    return values.reshape(SIZE).float().unsqueeze(-1).expand(-1, -1, 3)


if __name__ == "__main__":
    main()
