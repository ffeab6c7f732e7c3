"""Depth of the sky, which Depth Anything 3 detects but gives no distance."""

import torch
from torch import Tensor

from ..depth_map import SKY_THRESHOLD

MIN_PIXELS = 10  # of sky, and of the rest; an image with fewer is left unchanged
FAR_QUANTILE = 0.99


def fill_sky(depth: Tensor, sky: Tensor) -> Tensor:
    """Place the sky of each image behind almost everything else, as the official code does.

    Args:
        depth: z, B×H×W.
        sky: scores B×H×W.

    Returns:
        B×H×W; the sky, where the score is `SKY_THRESHOLD` or more, has the 0.99 quantile of
        the image's other pixels. An image that is almost all sky, or has almost none, is
        unchanged.
    """
    filled = depth.clone()
    for image, score in zip(filled, sky, strict=True):
        is_sky = score >= SKY_THRESHOLD
        rest = image[~is_sky]
        if rest.numel() > MIN_PIXELS and is_sky.sum() > MIN_PIXELS:
            image[is_sky] = _quantile(rest, FAR_QUANTILE)
    return filled


def _quantile(values: Tensor, share: float) -> Tensor:
    """`torch.quantile`, which refuses more than 16 million values."""
    rank = share * (values.numel() - 1)
    ordered = values.sort().values
    low = ordered[int(rank)]
    high = ordered[min(int(rank) + 1, values.numel() - 1)]
    return torch.lerp(low, high, rank - int(rank))
