"""A contact sheet: pictures in a grid, each with a caption."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .grid import Point

Resampling = Literal["nearest", "bilinear"]

BACKGROUND = (23, 23, 27)
PANEL = (32, 32, 38)
TITLE = (244, 244, 246)
LABEL = (244, 244, 246)
NOTE = (160, 160, 170)
ACCENT = (255, 196, 61)

GAP = 20
TITLE_HEIGHT = 56
LABEL_HEIGHT = 50
SHEET_ASPECT = 1.6
LONGEST_ASPECT = 3.0  # of a tile: a narrower one would leave no room for its caption


class Tile(NamedTuple):
    """One picture of the sheet.

    Attributes:
        label, note: the two lines of its caption.
        rgb: rows×columns×3 in [0, 1].
        scale: the range of its values in words; may be empty.
        point: x and y in 0 to 1 of a ring to draw; None: no ring.
        windows: side and shift, in cells, of attention windows to outline; None: none.
    """

    label: str
    note: str
    rgb: Tensor
    scale: str = ""
    point: Point | None = None
    windows: tuple[int, int] | None = None


def draw_sheet(
    title: str,
    tiles: Sequence[Tile],
    aspect: float,
    width: int = 360,
    resampling: Resampling = "nearest",
) -> Tensor:
    """Draw tiles in a grid below a title.

    Args:
        title: one line.
        tiles: the pictures; all are drawn at one size.
        aspect: width divided by height of the photograph.
        width: of a tile, in pixels.
        resampling: for enlarging pictures to the size of a tile.

    Returns:
        H×W×3 in [0, 1].
    """
    size = tile_size(width, aspect)
    columns = _columns(len(tiles), size)
    rows = -(-len(tiles) // columns)
    sheet = Image.new(
        "RGB",
        (
            GAP + columns * (size[0] + GAP),
            TITLE_HEIGHT + rows * (LABEL_HEIGHT + size[1] + GAP),
        ),
        BACKGROUND,
    )
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 18), _shorten(title, 22, sheet.width - 2 * GAP), TITLE, _font(22))
    for number, tile in enumerate(tiles):
        left = GAP + number % columns * (size[0] + GAP)
        top = TITLE_HEIGHT + number // columns * (LABEL_HEIGHT + size[1] + GAP)
        scale = _font(14).getlength(tile.scale)
        draw.text((left + size[0], top + 20), tile.scale, NOTE, _font(14), anchor="rs")
        room = round(size[0] - scale - (8 if scale else 0))
        draw.text((left, top + 20), _shorten(tile.label, 18, room), LABEL, _font(18), anchor="ls")
        draw.text((left, top + 26), _shorten(tile.note, 14, size[0]), NOTE, _font(14))
        picture = _draw_tile(tile, size, resampling)
        sheet.paste(picture, (left, top + LABEL_HEIGHT), _rounded(size))
    return torch.from_numpy(np.asarray(sheet).copy()).float() / 255


def tile_size(width: int, aspect: float) -> tuple[int, int]:
    """Width and height of a tile in pixels, for photographs of an aspect (width / height)."""
    aspect = min(max(aspect, 1 / LONGEST_ASPECT), LONGEST_ASPECT)
    if aspect >= 1:
        return width, round(width / aspect)
    return max(round(width * max(aspect, 0.6)), 1), round(width * max(aspect, 0.6) / aspect)


def resize_rgb(rgb: Tensor, size: tuple[int, int], resampling: Resampling) -> Tensor:
    """B×rows×columns×3 → B×H×W×3, `size` being (H, W)."""
    if rgb.shape[1:3] == size:
        return rgb
    planes = rgb.movedim(-1, 1)
    if resampling == "nearest":
        resized = F.interpolate(planes, size=size, mode="nearest-exact")
    else:
        resized = F.interpolate(planes, size=size, mode="bilinear", antialias=True)
    return resized.movedim(1, -1)


def draw_norms(norms: Tensor, stage_ends: Sequence[int], size: tuple[int, int]) -> Tensor:
    """Plot token norms over the blocks, with a thin line between stages.

    Args:
        norms: one number for each block.
        stage_ends: how many blocks have run at the end of each stage.
        size: width and height in pixels.

    Returns:
        height×width×3 in [0, 1].
    """
    scale = 2  # drawn twice as large and made smaller, for smooth lines
    width, height = size[0] * scale, size[1] * scale
    picture = Image.new("RGB", (width, height), PANEL)
    draw = ImageDraw.Draw(picture)
    font = _font(13 * scale)
    left, right, top, bottom = 46 * scale, width - 18 * scale, 20 * scale, height - 34 * scale
    highest = max(float(norms.max()), 1e-12)
    step = _round_step(highest / 4)
    for i in range(math.floor(highest / step) + 1):
        y = bottom - (bottom - top) * i * step / highest
        draw.line((left, y, right, y), (52, 52, 60), scale)
        draw.text((left - 8 * scale, y), f"{i * step:g}", NOTE, font, anchor="rm")
    across = (right - left) / max(len(norms) - 1, 1)
    for end in stage_ends[:-1]:
        if end:
            x = left + across * (end - 0.5)
            draw.line((x, top, x, bottom), (92, 92, 104), scale)
    points = [
        (left + across * i, bottom - (bottom - top) * float(norm) / highest)
        for i, norm in enumerate(norms)
    ]
    draw.line(points, ACCENT, 2 * scale, joint="curve")
    every = max(1, round(34 * scale / max(across, 1)))
    for i, (x, y) in enumerate(points):
        radius = 3 * scale
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), ACCENT)
        if (i + 1) % every == 0 or every == 1:
            draw.text((x, bottom + 8 * scale), str(i + 1), NOTE, font, anchor="mt")
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(picture).copy()).float() / 255


_FILTERS = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR}


def _draw_tile(tile: Tile, size: tuple[int, int], resampling: Resampling) -> Image.Image:
    rows, columns, _ = tile.rgb.shape
    picture = _to_pil(tile.rgb)
    if picture.size != size:
        smaller = rows > size[1] and columns > size[0]
        by = Image.Resampling.LANCZOS if smaller else _FILTERS[resampling]
        picture = picture.resize(size, by)
    draw = ImageDraw.Draw(picture)
    if tile.windows is not None:
        side, shift = tile.windows
        for count, extent, vertical in ((columns, size[0], True), (rows, size[1], False)):
            for edge in range(shift or side, count, side):
                at = round(extent * edge / count)
                draw.line((at, 0, at, size[1]) if vertical else (0, at, size[0], at), NOTE, 1)
    if tile.point is not None:
        x, y = tile.point[0] * (size[0] - 1), tile.point[1] * (size[1] - 1)
        for radius, color, thick in ((8, (0, 0, 0), 4), (7, ACCENT, 2)):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), None, color, thick)
    return picture


def _columns(count: int, size: tuple[int, int]) -> int:
    """The number of columns that brings the sheet closest to a screen's shape, with few gaps."""

    def cost(columns: int) -> float:
        rows = -(-count // columns)
        wide = columns * (size[0] + GAP) / (rows * (size[1] + LABEL_HEIGHT + GAP))
        return abs(math.log(wide / SHEET_ASPECT)) + 3 * (rows * columns - count) / count

    return min(range(1, count + 1), key=cost)


def _round_step(step: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999)


def _shorten(text: str, size: int, width: int) -> str:
    """The text, shortened to a width in pixels."""
    font = _font(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _to_pil(rgb: Tensor) -> Image.Image:
    return Image.fromarray((rgb.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy())


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """The font that comes with Pillow."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError(
            "This Pillow was built without FreeType, so it cannot draw labels; install Pillow "
            "from its official packages."
        )
    return font


@cache
def _rounded(size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", (size[0] * 2, size[1] * 2), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] * 2 - 1, size[1] * 2 - 1), 14, 255)
    return mask.resize(size, Image.Resampling.LANCZOS)
