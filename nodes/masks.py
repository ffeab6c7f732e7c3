"""Masks as they are connected."""

import torch.nn.functional as F
from torch import Tensor


def painted(mask: Tensor | None, size: tuple[int, int]) -> Tensor | None:
    """A mask B×H×W for images of this height and width; None if nothing is painted.

    With a picture that has no transparency Load Image gives an empty mask of 64×64, which
    means no mask; and people resize a picture and forget its mask.
    """
    if mask is None or not (mask > 0.5).any():
        return None
    mask = mask.reshape(-1, *mask.shape[-2:])
    if mask.shape[-2:] == size:
        return mask
    return F.interpolate(mask.unsqueeze(1), size=size, mode="nearest-exact").squeeze(1)
