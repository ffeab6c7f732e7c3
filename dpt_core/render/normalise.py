"""Raw depth of any kind to nearness, and nearness to [0, 1] or to distance."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..depth.model import Depth

NEAREST_METRES = 1e-3  # metres below this count as this: 1/0 is no brightness


class Limits(NamedTuple):
    """What is black and what is white in one frame.

    Attributes:
        low: nearness that is 0 in the picture.
        high: nearness that is 1.
        scale, shift: applied to the nearness before, to make it agree with other frames'.
    """

    low: float
    high: float
    scale: float = 1.0
    shift: float = 0.0


def check_frames(depth: Depth) -> None:
    """Refuse raw depth without a pixel.

    Raises:
        ValueError: it is not B×H×W with at least one frame.
    """
    if depth.values.ndim != 3 or 0 in depth.values.shape:
        shape = "×".join(str(side) for side in depth.values.shape)
        raise ValueError(
            f"The depth is {shape} (frames × height × width); at least one frame was expected."
        )


def nearness(depth: Depth) -> Tensor:
    """Larger is nearer, for every kind: inverse depth as it is, 1/z of metres. B×H×W float32."""
    values = depth.values.float()
    return values if depth.kind == "inverse" else values.clamp(min=NEAREST_METRES).reciprocal()


def normalise(values: Tensor) -> Tensor:
    """Each image of B×H×W from its own minimum and maximum to [0, 1]; a flat one to 0."""
    low = values.amin(dim=(-2, -1), keepdim=True)
    span = values.amax(dim=(-2, -1), keepdim=True) - low
    return torch.where(span > 0, (values - low) / span, 0.0)


def control_image(depth: Depth) -> Tensor:
    """What depth ControlNets were trained on: near is white, min–max per image. B×H×W in [0, 1]."""
    return normalise(nearness(depth))


def stretch(values: Tensor, limits: Limits) -> Tensor:
    """Nearness → [0, 1] between the limits; all 0 where they leave no room."""
    span = limits.high - limits.low
    if not span > 0:
        return torch.zeros_like(values)
    if limits.scale != 1 or limits.shift != 0:
        values = values * limits.scale + limits.shift
    return ((values - limits.low) / span).clamp_(0, 1)


def distance(stretched: Tensor, near: float, far: float) -> Tensor:
    """Stretched nearness → distance: 1 is at `near`, 0 at `far`, and 1/z is linear between."""
    return (stretched * (1 / near - 1 / far) + 1 / far).reciprocal()


def check_near_far(near: float, far: float) -> None:
    """Refuse a range that is none.

    Raises:
        ValueError: not 0 < near < far.
    """
    if not 0 < near < far:
        raise ValueError(
            f"near is {near:g} and far is {far:g}; both must be above 0, and near below far."
        )


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
