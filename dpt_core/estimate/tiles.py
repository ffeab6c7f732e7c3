"""Boxes in an image (overlapping tiles, a region of interest) and their weights."""

import math
from itertools import product
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

REGION_MARGIN = 0.15  # share of a region's bounding box that is added on each side
# Short side over long side of a region's box, if the image has room: a model that scales the
# short side to its own would make a thin strip extremely long.
MIN_REGION_ASPECT = 1 / 3


class Box(NamedTuple):
    """Rows top … bottom − 1 and columns left … right − 1 of an image."""

    top: int
    bottom: int
    left: int
    right: int

    def crop(self, values: Tensor) -> Tensor:
        """The box of …×H×W; a view."""
        return values[..., self.top : self.bottom, self.left : self.right]


def tile_boxes(size: tuple[int, int], tiles: int, overlap: float) -> list[Box]:
    """tiles × tiles overlapping boxes that cover an image of H×W pixels."""
    rows, columns = (tile_spans(side, tiles, overlap) for side in size)
    return [Box(*row, *column) for row, column in product(rows, columns)]


def tile_spans(side: int, tiles: int, overlap: float) -> list[tuple[int, int]]:
    """Starts and ends of two or more evenly spread tiles that cover 0 … side."""
    length = min(side, max(1, round(side / (tiles - (tiles - 1) * overlap))))
    starts = [round(i * (side - length) / (tiles - 1)) for i in range(tiles)]
    return [(start, start + length) for start in starts]


def tile_weight(box: Box, size: tuple[int, int], overlap: float) -> Tensor:
    """Weights, of the box's size, that fade to 0 towards its neighbours.

    They stay 1 at the border of the image, whose size is H×W.
    """
    sides = []
    for start, end, side in ((box.top, box.bottom, size[0]), (box.left, box.right, size[1])):
        length = end - start
        fade = max(1, round(overlap * length))
        centres = torch.arange(length) + 0.5
        low = torch.ones(length) if start == 0 else (centres / fade).clamp(max=1)
        high = torch.ones(length) if end == side else ((length - centres) / fade).clamp(max=1)
        sides.append(smoothstep(torch.minimum(low, high)))
    return torch.outer(*sides)


def smoothstep(x: Tensor) -> Tensor:
    """0 … 1 with level ends; s(x) + s(1 − x) = 1, so that overlapping tiles add up to 1."""
    return x * x * (3 - 2 * x)


def region_box(mask: Tensor) -> Box:
    """The bounding box of a mask H×W bool, with a margin that gives the model some context."""
    set_pixels = [along.nonzero().flatten() for along in (mask.any(dim=1), mask.any(dim=0))]
    ends = [(int(index[0]), int(index[-1]) + 1) for index in set_pixels]
    min_length = MIN_REGION_ASPECT * max(end - start for start, end in ends)
    spans = []
    for (start, end), side in zip(ends, mask.shape, strict=True):
        margin = max(
            1, round(REGION_MARGIN * (end - start)), math.ceil((min_length - (end - start)) / 2)
        )
        spans += [max(0, start - margin), min(side, end + margin)]
    return Box(*spans)


def feather(mask: Tensor) -> Tensor:
    """Blur the edges of a mask H×W, cropped to its `region_box`, within the margin."""
    reach = max(1, round(0.4 * REGION_MARGIN * min(mask.shape)))
    kernel = 2 * reach + 1
    soft = mask.float().view(1, 1, *mask.shape)
    for _ in range(2):  # two box filters make a tent
        soft = F.avg_pool2d(soft, kernel, stride=1, padding=reach, count_include_pad=False)
    return soft[0, 0]
