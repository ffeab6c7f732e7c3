"""Resizing of maps, with the settings of the official code spelled out."""

import torch.nn.functional as F
from torch import Tensor


def resize_map(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, corners aligned: how the decoder of every DPT model resizes. B×C×H×W."""
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)
