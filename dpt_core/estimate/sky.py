"""Depth where there is sky: Depth Anything 3's networks tell it apart, but not how far it is."""

import torch
from torch import Tensor

SKY_THRESHOLD = 0.3  # score from which a pixel is sky
FEWEST_PIXELS = 10  # of sky and of the rest, to change anything
FAR_QUANTILE = 0.99


def fill_sky(depth: Tensor, sky: Tensor) -> Tensor:
    """Put the sky of each image as far as almost everything else, as the official code does.

    Args:
        depth: distances B×H×W.
        sky: scores B×H×W.

    Returns:
        B×H×W; where the sky's score is 0.3 or more, the 0.99 quantile of the other pixels
        of the same image. An image of almost only sky, or with almost none, is left alone.
    """
    filled = depth.clone()
    for image, score in zip(filled, sky, strict=True):
        is_sky = score >= SKY_THRESHOLD
        rest = image[~is_sky]
        if rest.numel() > FEWEST_PIXELS and is_sky.sum() > FEWEST_PIXELS:
            image[is_sky] = _quantile(rest, FAR_QUANTILE)
    return filled


def _quantile(values: Tensor, share: float) -> Tensor:
    """As torch.quantile, which refuses more than 16 million values."""
    place = share * (values.numel() - 1)
    ordered = values.sort().values
    low = ordered[int(place)]
    high = ordered[min(int(place) + 1, values.numel() - 1)]
    return torch.lerp(low, high, place - int(place))
