"""Disparity to [0, 1]: which pixels count, and what becomes black and white."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..depth_map import Depth, disparity, unmasked_pixels, valid_pixels


class Limits(NamedTuple):
    """What becomes black and white in one frame.

    Attributes:
        low: disparity that becomes 0.
        high: disparity that becomes 1.
        scale, shift: applied to the disparity first, to align it with other frames.
    """

    low: float
    high: float
    scale: float = 1.0
    shift: float = 0.0


def valid_disparity(depth: Depth, number: int) -> tuple[Tensor, Tensor]:
    """Disparity of one frame, H×W float32, and where it is valid, H×W bool.

    Raises:
        ValueError: NaN or infinite values where the image is meant to have depth.
    """
    values = disparity(depth.frame(number))[0]
    if not torch.isfinite(values[unmasked_pixels(depth, number)]).all():
        raise ValueError(
            f"The depth of image {number} (counted from 0) has NaN or infinite values. If a model "
            "made it, set precision to float32 in Load DPT Checkpoint."
        )
    return values, valid_pixels(depth, number)


def fill_invalid(values: Tensor, valid: Tensor) -> Tensor:
    """H×W disparity whose invalid pixels are as far away as the farthest valid one.

    0 everywhere if none is valid.
    """
    farthest = values[valid].amin() if valid.any() else 0.0
    return torch.where(valid, values, farthest)


def normalise(values: Tensor) -> Tensor:
    """Each image of B×H×W from its own minimum and maximum to [0, 1]; a flat one to 0."""
    low = values.amin(dim=(-2, -1), keepdim=True)
    span = values.amax(dim=(-2, -1), keepdim=True) - low
    return torch.where(span > 0, (values - low) / span, 0.0)


def control_image(depth: Depth) -> Tensor:
    """What depth ControlNets were trained on: near is white. B×H×W float32 in [0, 1].

    Each image from the minimum to the maximum of its valid pixels; the others, such as the sky,
    are black.

    Raises:
        ValueError: NaN or infinite values where an image is meant to have depth.
    """
    grey = torch.empty_like(depth.values, dtype=torch.float32)
    for number in range(len(grey)):
        grey[number] = normalise(fill_invalid(*valid_disparity(depth, number)))
    return grey


def stretch(values: Tensor, limits: Limits) -> Tensor:
    """Disparity → [0, 1] between the limits; 0 everywhere if they are equal."""
    span = limits.high - limits.low
    if not span > 0:
        return torch.zeros_like(values)
    if limits.scale != 1 or limits.shift != 0:
        values = values * limits.scale + limits.shift
    return ((values - limits.low) / span).clamp_(0, 1)


def extremes(values: Tensor, low: float = 0.0, high: float = 100.0) -> tuple[float, float]:
    """Two percentiles of a 1-D tensor, by rank: 0 and 100 are the minimum and the maximum."""
    ends = []
    for percent in (low, high):
        if percent in (0.0, 100.0):
            ends.append(values.amin() if percent == 0 else values.amax())
        else:
            rank = 1 + round(percent / 100 * (values.numel() - 1))
            ends.append(values.kthvalue(rank).values)
    return float(ends[0]), float(ends[1])
