"""The tiles of a contact sheet: feature maps, photograph, depth and norms, with captions."""

from collections.abc import Sequence

from torch import Tensor

from ..depth_map import Depth, Kind
from ..estimate.model import DepthModel
from ..render import colorize, control_image
from .blocks import stage_ends
from .contact_sheet import Tile, draw_norms
from .pictures import MapStyle, Picture

DEPTH_NOTES: dict[Kind, str] = {
    "inverse": "disparity, larger is nearer",
    "metres": "metres, brighter is nearer",
    "depth": "depth without a unit, brighter is nearer",
}


def map_tiles(pictures: Sequence[Picture], style: MapStyle) -> list[list[Tile]]:
    """The tiles of each image: its pictures in order, with captions."""
    frames: list[list[Tile]] = [[] for _ in pictures[0].rgb]
    for feature_map, rgb, scale in pictures:
        _, channels, rows, columns = feature_map.values.shape
        parts = [f"{rows} x {columns}"]
        if channels > 1:
            parts.append(f"{channels} channels")
        if feature_map.note:
            parts.append(feature_map.note)
        is_compared = style.visualization == "similarity" and channels > 1
        point = style.point if is_compared else feature_map.point
        note = " · ".join(parts)
        for frame, picture in zip(frames, rgb, strict=True):
            frame.append(Tile(feature_map.label, note, picture, scale, point, feature_map.windows))
    return frames


def norm_tiles(model: DepthModel, norms: Tensor, size: tuple[int, int]) -> list[Tile]:
    """A plot of B×blocks norms for each image; `size` is width and height in pixels."""
    ends = stage_ends(model.net)
    note = "mean L2 norm of the patch tokens after each block"
    return [Tile("block norms", note, draw_norms(row, ends, size)) for row in norms]


def photo_tile(image: Tensor, maps: Sequence[Tile]) -> Tile:
    """The photograph, 3×H×W, marked with the point that its maps depend on."""
    rows, columns = image.shape[-2:]
    rgb = image.float().clamp(0, 1).movedim(0, -1)
    point = next((tile.point for tile in maps if tile.point is not None), None)
    return Tile("photograph", f"{columns} x {rows} pixels", rgb, point=point)


def depth_tile(depth: Depth, colormap: str) -> Tile:
    """The depth of one image."""
    rgb = colorize(control_image(depth), colormap)[0]
    scale = f"{float(depth.values.min()):.3g} … {float(depth.values.max()):.3g}"
    return Tile("depth", DEPTH_NOTES[depth.kind], rgb, scale)
