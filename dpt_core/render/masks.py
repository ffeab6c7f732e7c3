"""Depth to a mask of what lies within a range of it."""

from typing import Literal

import torch
from torch import Tensor

from ..depth_map import Depth, check_frames, disparity, valid_pixels

Unit = Literal["percentile", "metres"]


def depth_mask(
    depth: Depth, near: float, far: float, soft: float = 0.0, unit: Unit = "percentile"
) -> Tensor:
    """A mask of what lies between two depths.

    It is 1 from `near` to `far`, both included, and falls linearly to 0 over a width of `soft`
    on either side. Percentiles are those of each image's own valid pixels, so they need no unit
    but differ from frame to frame; metres are the same in all frames.

    Args:
        depth: raw depth of B images.
        near, far: percentiles (0 is the nearest pixel, 100 the farthest) or metres.
        soft: width of the soft edges in the same unit.
        unit: ``"percentile"`` or ``"metres"``.

    Returns:
        B×H×W float32 in [0, 1]; 0 where the depth is not valid, as in the sky.

    Raises:
        ValueError: metres of depth that is not in metres, or a range that cannot be used.
    """
    if unit not in ("percentile", "metres"):
        raise ValueError(f"unit is {unit!r}; it must be 'percentile' or 'metres'.")
    if unit == "metres" and depth.kind != "metres":
        raise ValueError(
            f"The depth is {depth.kind} and has no metres; use percentiles, or a metric model."
        )
    if not (near <= far and soft >= 0):
        raise ValueError(
            f"near is {near:g}, far {far:g} and soft {soft:g}; near must not be above far, and "
            "soft not below 0."
        )
    if unit == "percentile" and not (near >= 0 and far <= 100):
        raise ValueError(f"near is {near:g} and far {far:g}; percentiles are from 0 to 100.")
    check_frames(depth)
    mask = torch.empty_like(depth.values, dtype=torch.float32)
    for number in range(len(mask)):
        frame, valid = depth.frame(number), valid_pixels(depth, number)
        if unit == "metres":
            values = frame.values[0].float()
        else:
            values = _percentiles(-disparity(frame)[0], valid)
        beyond = torch.maximum(near - values, values - far).clamp(min=0)
        inside = (1 - beyond / soft).clamp(min=0) if soft > 0 else (beyond == 0).float()
        mask[number] = torch.where(valid, inside, 0.0)
    return mask


def _percentiles(values: Tensor, valid: Tensor) -> Tensor:
    """The rank of each value of H×W among the valid ones, 0 to 100.

    Equal values share the mean of their ranks.
    """
    ordered = values[valid].sort().values
    below = torch.searchsorted(ordered, values.contiguous())
    up_to = torch.searchsorted(ordered, values.contiguous(), right=True)
    return (below + up_to - 1) * (50 / max(1, len(ordered) - 1))
