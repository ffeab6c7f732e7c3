"""Raw depth of any kind to disparity, and disparity to [0, 1] or to distance."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..depth_map import Depth, disparity


class Limits(NamedTuple):
    """What is black and what is white in one frame.

    Attributes:
        low: disparity that is 0 in the picture.
        high: disparity that is 1.
        scale, shift: applied to the disparity before, to make it agree with other frames'.
    """

    low: float
    high: float
    scale: float = 1.0
    shift: float = 0.0


def normalise(values: Tensor) -> Tensor:
    """Each image of B×H×W from its own minimum and maximum to [0, 1]; a flat one to 0."""
    low = values.amin(dim=(-2, -1), keepdim=True)
    span = values.amax(dim=(-2, -1), keepdim=True) - low
    return torch.where(span > 0, (values - low) / span, 0.0)


def control_image(depth: Depth) -> Tensor:
    """What depth ControlNets were trained on: near is white, min–max per image. B×H×W in [0, 1]."""
    return normalise(disparity(depth))


def stretch(values: Tensor, limits: Limits) -> Tensor:
    """Nearness → [0, 1] between the limits; all 0 where they leave no room."""
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
