"""A model's way from a photograph to depth, one contact sheet per step."""

from collections.abc import Iterator

from torch import Tensor

from ..estimate.model import DepthModel
from .blocks import list_blocks
from .contact_sheet import draw_sheet
from .feature_map import FeatureSpec
from .features import extract_features
from .grid import Point
from .pictures import MapStyle, visualize
from .tiles import depth_tile, map_tiles, photo_tile


def list_steps(blocks: int, point: Point) -> list[tuple[str, FeatureSpec, MapStyle]]:
    """The title of each step, its features and how they are drawn.

    Args:
        blocks: how many transformer blocks the model has.
        point: x and y in 0 to 1, for attention, positions and similarity.
    """
    middle = blocks // 2
    pca = MapStyle("pca")
    attention = FeatureSpec("attention", middle, point=point)
    similarity = MapStyle("similarity", point=point, colormap="inferno")
    return [
        ("1 patches", FeatureSpec("patches"), pca),
        ("2 positions", FeatureSpec("positions", point=point), pca),
        ("3 attention", attention, MapStyle(colormap="inferno")),
        ("4 stages", FeatureSpec("stages"), pca),
        ("5 similarity", FeatureSpec("stages"), similarity),
        ("6 reassembled", FeatureSpec("reassembled"), pca),
        ("7 fused", FeatureSpec("fused"), pca),
        ("8 head", FeatureSpec("head"), pca),
    ]


def draw_steps(
    model: DepthModel,
    photo: Tensor,
    point: Point = (0.5, 0.5),
    resolution: int | None = None,
    tile_width: int = 360,
) -> Iterator[tuple[str, Tensor]]:
    """Draw the contact sheets one after another.

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
    for title, spec, style in list_steps(len(list_blocks(model.net)), point):
        maps, depth = extract_features(model, images, spec, resolution=resolution)
        (tiles,) = map_tiles(visualize(maps, style), style)
        if len(tiles) == 1:
            tiles.insert(0, photo_tile(photo, tiles))
        if spec.name == "head":
            tiles.append(depth_tile(depth, "inferno"))
        aspect = photo.shape[2] / photo.shape[1]
        yield title, draw_sheet(f"{model.inspection.family} · {title}", tiles, aspect, tile_width)
