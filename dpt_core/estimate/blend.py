"""Blend several estimates of one image into one: tiles and mirrored passes.

Every pass of a relative model has its own scale and shift, so each is first aligned with the pass
over the whole image.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..depth_map import Depth, disparity, from_disparity
from ..geometry.scale_shift import ScaleShift, fit_robust
from .tiles import Box

FIT_SAMPLES = 65_536  # pixels of a pass that its scale and shift are fitted to
SPREAD_RATIO_RANGE = (0.2, 5.0)  # of an aligned pass to the whole; outside it they disagree

Infer = Callable[[Tensor], Depth]  # images B×3×H×W → raw depth at their size


def infer_flip_averaged(infer: Infer, image: Tensor) -> Depth:
    """The mean of the depth of an image 1×3×H×W and the aligned depth of its mirror image."""
    depth = infer(image)
    x, y = disparity(infer(image.flip(-1)))[0].flip(-1), disparity(depth)[0]
    scale_shift = align_pass(x, y)
    if scale_shift is None:
        return depth
    mean = (y + scale_shift(x)) / 2
    return depth._replace(values=from_disparity(mean, depth.kind).unsqueeze(0))


def blend_passes(
    values: Tensor, infer: Infer, image: Tensor, boxes: Sequence[Box], weights: Sequence[Tensor]
) -> Tensor:
    """Estimate boxes of an image and blend them into the disparity of the whole.

    Where the weights of several boxes add up to more than 1, their weighted mean is used; where
    they add up to less, the whole has the remaining weight. A box whose estimate disagrees with the
    whole is left out.

    Args:
        values: disparity H×W of the whole image; not modified.
        infer: estimates one box of the image.
        image: 1×3×H×W.
        boxes: the boxes to estimate on their own.
        weights: of each box, in [0, 1], of its size.

    Returns:
        Disparity H×W.
    """
    total, weight_sum = torch.zeros_like(values), torch.zeros_like(values)
    for box, weight in zip(boxes, weights, strict=True):
        estimate = disparity(infer(box.crop(image)))[0]
        scale_shift = align_pass(estimate, box.crop(values))
        if scale_shift is None:
            continue
        box.crop(total).add_(weight * scale_shift(estimate))
        box.crop(weight_sum).add_(weight)
    rest = values * (1 - weight_sum).clamp_(min=0)
    return rest.add_(total / weight_sum.clamp(min=1))


def align_pass(estimate: Tensor, whole: Tensor) -> ScaleShift | None:
    """Scale and shift that align two disparity maps h×w; None if they disagree."""
    step = max(1, round((estimate.numel() / FIT_SAMPLES) ** 0.5))
    x, y = estimate[::step, ::step].flatten(), whole[::step, ::step].flatten()
    if not (x.amax() - x.amin() > 1e-6 * x.abs().amax()) or y.amin() == y.amax():
        return None
    scale_shift = fit_robust(x, y)
    ratio = scale_shift.scale * _deviation(x) / max(_deviation(y), 1e-30)
    return scale_shift if SPREAD_RATIO_RANGE[0] <= ratio <= SPREAD_RATIO_RANGE[1] else None


def _deviation(values: Tensor) -> float:
    """Mean absolute deviation from the median."""
    return float((values - values.median()).abs().mean())
