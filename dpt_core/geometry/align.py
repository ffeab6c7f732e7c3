"""Scale and shift that make raw depth agree with known distances or with another depth map."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..depth_map import (
    Depth,
    Kind,
    check_frames,
    check_mask,
    disparity,
    from_disparity,
    valid_pixels,
)
from .scale_shift import ScaleShift, fit, fit_robust


class MeasuredPoint(NamedTuple):
    """A pixel whose distance has been measured: column, row, metres."""

    x: float
    y: float
    metres: float


def apply_scale_shift(depth: Depth, scale_shifts: Sequence[ScaleShift], kind: Kind) -> Depth:
    """Give each frame the disparity scale·disparity + shift, as values of another kind.

    Args:
        depth: raw depth of any kind.
        scale_shifts: one for each frame.
        kind: of the result. As z, pixels whose new disparity is not above 0 would lie beyond
            infinity; they are placed very far away instead.

    Raises:
        ValueError: z was asked for and a scale is not above 0: near and far would change places.
    """
    values = torch.empty_like(depth.values, dtype=torch.float32)
    for number, scale_shift in enumerate(scale_shifts):
        if kind != "inverse" and not scale_shift.scale > 0:
            raise ValueError(
                f"The distances contradict the depth of image {number} (counted from 0): what is "
                "nearer in the depth has the larger distance. Check the points and their order."
            )
        values[number] = from_disparity(scale_shift(_disparity(depth, number)), kind)
    return depth._replace(values=values, kind=kind)


def align_to_points(depth: Depth, points: Sequence[MeasuredPoint]) -> Depth:
    """Metric depth from measured points in the first image.

    One point gives a scale; two or more give a scale and a shift by least squares; with five or
    more the fit is robust, so that a wrong one does no harm. All frames get the same scale and
    shift.

    Raises:
        ValueError: no points; a point outside the image or without valid depth; a distance that
            is not above 0; points that contradict the depth.
    """
    check_frames(depth)
    height, width = depth.values.shape[-2:]
    if not points:
        raise ValueError("There are no points. Give at least one as x, y, metres.")
    frame, valid = _disparity(depth, 0), valid_pixels(depth, 0)
    found = []
    for x, y, metres in points:
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(
                f"The point ({x:g}, {y:g}) is outside the image, which is {width}×{height} "
                "pixels. Move it inside."
            )
        if not metres > 0:
            raise ValueError(
                f"The point ({x:g}, {y:g}) is {metres:g} metres away; the distance must be above 0."
            )
        column, row = int(x), int(y)
        if not valid[row, column]:
            raise ValueError(
                f"There is no valid depth at the point ({x:g}, {y:g}). Choose another point."
            )
        found.append(float(frame[row, column]))
    x, y = torch.tensor(found), 1 / torch.tensor([point.metres for point in points])
    scale_shift = _scale_only(x, y) if len(points) == 1 else fit_robust(x, y)
    return apply_scale_shift(depth, [scale_shift] * len(depth.values), "metres")


def align_to_mask(depth: Depth, mask: Tensor, metres: float) -> Depth:
    """Metric depth from the distance of one surface, all of it equally far away.

    The median disparity under the mask gives a scale for each frame.

    Args:
        depth: raw depth.
        mask: B×H×W or 1×H×W, above 0.5 on the surface.
        metres: distance of the surface.

    Raises:
        ValueError: a mask of another size or without a valid pixel, or a distance not above 0.
    """
    check_frames(depth)
    mask = check_mask(mask, depth)
    if not metres > 0:
        raise ValueError(f"The distance is {metres:g} metres; it must be above 0.")
    scale_shifts = []
    for number in range(len(depth.values)):
        masked = _disparity(depth, number)[mask[number] & valid_pixels(depth, number)]
        if not masked.numel():
            raise ValueError(
                f"There is no valid depth under the mask of image {number} (counted from 0). "
                "Paint the mask where the depth is valid."
            )
        scale_shifts.append(_scale_only(masked.median().view(1), torch.tensor([1 / metres])))
    return apply_scale_shift(depth, scale_shifts, "metres")


def align_to_reference(
    depth: Depth, reference: Depth, mask: Tensor | None = None, robust: bool = True
) -> Depth:
    """Give each frame the scale and shift of another depth map.

    Args:
        depth: raw depth.
        reference: depth of the same size; one frame for all, or as many frames.
        mask: B×H×W or 1×H×W, above 0.5 where the two are compared; None: everywhere.
        robust: up to half of the pixels may disagree.

    Returns:
        The depth in the reference's kind.

    Raises:
        ValueError: sizes that differ, or too few pixels that are valid in both.
    """
    check_frames(depth)
    count, size = len(depth.values), depth.values.shape[-2:]
    if reference.values.shape[-2:] != size or len(reference.values) not in (1, count):
        found, wanted = (
            "×".join(map(str, shape)) for shape in (reference.values.shape, depth.values.shape)
        )
        raise ValueError(
            f"The reference is {found} (frames × height × width) and the depth {wanted}; they must "
            "have the same size, and the reference one frame or as many as the depth."
        )
    masks = None if mask is None else check_mask(mask, depth)
    scale_shifts = []
    for number in range(count):
        other = min(number, len(reference.values) - 1)
        both = valid_pixels(depth, number) & valid_pixels(reference, other)
        if masks is not None:
            both &= masks[number]
        x, y = _disparity(depth, number)[both], _disparity(reference, other)[both]
        scale_shifts.append(fit_robust(x, y) if robust else fit(x, y))
    return apply_scale_shift(depth, scale_shifts, reference.kind)


def _disparity(depth: Depth, number: int) -> Tensor:
    """Disparity of one frame, H×W float32."""
    return disparity(depth.frame(number))[0]


def _scale_only(x: Tensor, y: Tensor) -> ScaleShift:
    if not x > 0:
        raise ValueError(
            f"The disparity there is {float(x):g}, and no scale makes a distance of that. Choose a "
            "nearer point, or give two."
        )
    return ScaleShift(float(y / x), 0.0)
