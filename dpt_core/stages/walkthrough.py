"""A model's way from a photograph to depth, one contact sheet per step."""

from collections.abc import Iterator

from torch import Tensor

from ..estimate.model import DepthModel
from .blocks import Point, list_blocks
from .contact_sheet import draw_sheet
from .features import View, extract_features
from .pictures import MapStyle, visualize
from .tiles import depth_tile, map_tiles, photo_tile


def list_steps(blocks: int, point: Point) -> list[tuple[str, View, MapStyle]]:
    """The title of each step, what is viewed and how it is drawn.

    Args:
        blocks: how many transformer blocks the model has.
        point: x and y in 0 to 1, for attention, positions and similarity.
    """
    middle = blocks // 2
    colours = MapStyle("pca")
    return [
        ("1 patches", View("patches"), colours),
        ("2 positions", View("positions", point=point), colours),
        ("3 attention", View("attention", middle, point=point), MapStyle(colormap="inferno")),
        ("4 stages", View("stages"), colours),
        ("5 similarity", View("stages"), MapStyle("similarity", point=point, colormap="inferno")),
        ("6 reassembled", View("reassembled"), colours),
        ("7 fused", View("fused"), colours),
        ("8 head", View("head"), colours),
    ]


def draw_steps(
    model: DepthModel,
    photo: Tensor,
    point: Point = (0.5, 0.5),
    resolution: int | None = None,
    tile_width: int = 360,
) -> Iterator[tuple[str, Tensor]]:
    """Draw the contact sheet of each step when it is asked for.

    Args:
        model: any depth model.
        photo: 3×H×W float RGB in [0, 1].
        point: as for `list_steps`.
        resolution: as for `DepthModel.infer`.
        tile_width: in pixels.

    Yields:
        The step's title, and its sheet, height×width×3 in [0, 1].

    Raises:
        ValueError: the point is outside the photograph.
    """
    images = photo.unsqueeze(0)  # 1×3×H×W
    for title, view, style in list_steps(len(list_blocks(model.net)), point):
        maps, depth = extract_features(model, images, view, resolution=resolution)
        (tiles,) = map_tiles(visualize(maps, style), style)
        if len(tiles) == 1:
            tiles.insert(0, photo_tile(photo, tiles))
        if view.what == "head":
            tiles.append(depth_tile(depth, "inferno"))
        aspect = photo.shape[2] / photo.shape[1]
        yield title, draw_sheet(f"{model.inspection.family} · {title}", tiles, aspect, tile_width)
