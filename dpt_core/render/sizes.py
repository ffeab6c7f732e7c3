"""The size of a rendered map, and how raw depth gets there."""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]  # height, width


class Target(NamedTuple):
    """A size to deliver.

    Attributes:
        size: height and width.
        fit: ``"crop"``: the aspect is kept and what is too much is cut from both sides, as
            ComfyUI does with a ControlNet's hint; ``"stretch"``: the aspect is not kept.
    """

    size: Size
    fit: Literal["crop", "stretch"] = "crop"


def pixel_perfect(size: Size, target: Size, outer: bool = False) -> Size:
    """The size at which a map has exactly one pixel for each of the target's.

    The aspect of `size` is kept. The result covers the target, which then crops it; with
    `outer` it lies inside the target.
    """
    ratios = (target[0] / size[0], target[1] / size[1])
    scale = min(ratios) if outer else max(ratios)
    return max(1, round(scale * size[0])), max(1, round(scale * size[1]))


def to_multiple(size: Size, multiple: int) -> Size:
    """Each side to the nearest multiple, at least one."""
    height, width = (max(multiple, round(side / multiple) * multiple) for side in size)
    return height, width


def to_short_side(size: Size, pixels: int) -> Size:
    """The short side to so many pixels, the aspect kept: the `resolution` of preprocessors."""
    scale = pixels / min(size)
    return round(size[0] * scale), round(size[1] * scale)


def resize(values: Tensor, target: Target) -> Tensor:
    """H×W float to the target's size: bilinear, with antialiasing where it gets smaller."""
    height, width = target.size
    if values.shape == target.size:
        return values
    rows, columns = values.shape
    if target.fit == "crop":
        # The part of the map that has the target's aspect, to a whole pixel.
        scale = max(height / rows, width / columns)
        keep = (
            max(1, min(rows, round(height / scale))),
            max(1, min(columns, round(width / scale))),
        )
        top, left = (rows - keep[0]) // 2, (columns - keep[1]) // 2
        values = values[top : top + keep[0], left : left + keep[1]]
    resized = F.interpolate(
        values[None, None], size=target.size, mode="bilinear", align_corners=False, antialias=True
    )
    return resized[0, 0]


def resize_valid(values: Tensor, valid: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """As `resize`, for values of which only some are valid (bool H×W).

    A result is the mean of the valid values that it covers, and valid where they are at least
    half of it.
    """
    weight = resize(valid.to(values.dtype), target)
    total = resize(torch.where(valid, values, 0.0), target)
    return total / weight.clamp(min=1e-6), weight >= 0.5
