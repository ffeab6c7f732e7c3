"""The tiles of a sheet: maps, photograph, depth and norms with their labels."""

from collections.abc import Sequence

from torch import Tensor

from ..depth_map import Depth
from ..estimate.model import DepthModel
from ..render import colorize, control_image
from .blocks import list_blocks
from .contact_sheet import Tile, draw_norms
from .pictures import MapStyle, Picture

UNITS = {
    "inverse": "inverse depth, near is high",
    "metres": "metres, near is bright",
    "depth": "depth, near is bright",
}


def map_tiles(pictures: Sequence[Picture], style: MapStyle) -> list[list[Tile]]:
    """The maps of each image, shown in a style."""
    frames: list[list[Tile]] = [[] for _ in pictures[0].rgb]
    for stage, rgb, scale in pictures:
        _, channels, rows, columns = stage.values.shape
        amount = f" · {channels} channels" if channels > 1 else ""
        note = f"{rows} x {columns}{amount}" + (f" · {stage.note}" if stage.note else "")
        is_compared = style.how == "similarity" and channels > 1
        point = style.point if is_compared else stage.point
        for frame, picture in zip(frames, rgb, strict=True):
            frame.append(Tile(stage.label, note, picture, scale, point, stage.windows))
    return frames


def norm_tiles(model: DepthModel, norms: Tensor, size: tuple[int, int]) -> list[Tile]:
    """A plot for each image, from B×blocks norms; `size` is width and height in pixels."""
    ends = [0, 0, 0, 0]
    for place in list_blocks(model.net):
        ends[place.stage] = place.number + 1
    note = "mean length of the patch tokens after each block"
    return [Tile("block norms", note, draw_norms(row, ends, size)) for row in norms]


def photo_tile(image: Tensor, maps: Sequence[Tile]) -> Tile:
    """The photograph 3×H×W, with the point that is marked on its maps."""
    rows, columns = image.shape[-2:]
    rgb = image.float().clamp(0, 1).movedim(0, -1)
    point = next((tile.point for tile in maps if tile.point is not None), None)
    return Tile("photograph", f"{columns} x {rows} pixels", rgb, point=point)


def depth_tile(depth: Depth, colormap: str) -> Tile:
    """The depth of one image."""
    rgb = colorize(control_image(depth), colormap)[0]
    scale = f"{float(depth.values.min()):.3g} … {float(depth.values.max()):.3g}"
    return Tile("depth", UNITS[depth.kind], rgb, scale)


def one_of(depth: Depth, number: int) -> Depth:
    """The values of one image of a batch."""
    return Depth(depth.values[number : number + 1], depth.kind)
