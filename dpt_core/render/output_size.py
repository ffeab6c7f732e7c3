"""The size of a picture, and how a map is brought to it."""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]  # height, width


class OutputSize(NamedTuple):
    """The size of a picture.

    Attributes:
        size: height and width.
        fit: ``"crop"``: the aspect is kept and both ends of the longer dimension are cut off, as
            ComfyUI does with a ControlNet's hint; ``"stretch"``: the aspect is not kept.
    """

    size: Size
    fit: Literal["crop", "stretch"] = "crop"


def pixel_perfect(size: Size, target: Size, outer: bool = False) -> Size:
    """The size at which a map has one pixel for each pixel of the target, the aspect kept.

    The result covers the target, which then crops it; with `outer` it lies inside the target.
    """
    ratios = (target[0] / size[0], target[1] / size[1])
    scale = min(ratios) if outer else max(ratios)
    return max(1, round(scale * size[0])), max(1, round(scale * size[1]))


def to_multiple(size: Size, multiple: int) -> Size:
    """Each side rounded to the nearest multiple, and not below one."""
    height, width = (max(multiple, round(side / multiple) * multiple) for side in size)
    return height, width


def to_short_side(size: Size, pixels: int) -> Size:
    """The short side at `pixels`, the aspect kept: what preprocessors call `resolution`."""
    scale = pixels / min(size)
    return round(size[0] * scale), round(size[1] * scale)


def resize(values: Tensor, output: OutputSize) -> Tensor:
    """H×W float to the output's size: bilinear, with antialiasing where it gets smaller."""
    height, width = output.size
    if values.shape == output.size:
        return values
    rows, columns = values.shape
    if output.fit == "crop":
        # The part of the map that has the output's aspect, to a whole pixel.
        scale = max(height / rows, width / columns)
        keep = (
            max(1, min(rows, round(height / scale))),
            max(1, min(columns, round(width / scale))),
        )
        top, left = (rows - keep[0]) // 2, (columns - keep[1]) // 2
        values = values[top : top + keep[0], left : left + keep[1]]
    resized = F.interpolate(
        values[None, None], size=output.size, mode="bilinear", align_corners=False, antialias=True
    )
    return resized[0, 0]


def resize_valid(values: Tensor, valid: Tensor, output: OutputSize) -> tuple[Tensor, Tensor]:
    """Resize H×W values that are valid only where a bool H×W says so.

    Each result is the mean of the valid values that it covers, and is valid where they make up
    at least half of it.
    """
    weight = resize(valid.to(values.dtype), output)
    total = resize(torch.where(valid, values, 0.0), output)
    return total / weight.clamp(min=1e-6), weight >= 0.5
