"""Resizing of maps, with the settings of the official code spelled out."""

import torch
import torch.nn.functional as F
from torch import Tensor


def resize_map(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, corners aligned: how the decoder of every DPT model resizes. B×C×H×W."""
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


def resize_rows(x: Tensor, size: tuple[int, int], top: int, bottom: int) -> Tensor:
    """Rows `top` to `bottom` (not included) of ``resize_map(x, size)``, up to rounding."""
    last = x.shape[-2] - 1
    places = torch.arange(top, bottom, device=x.device, dtype=torch.float32)
    places = places * (last / max(1, size[0] - 1))
    low = places.long().clamp_max(last)
    between = (places - low).to(x.dtype).view(-1, 1, 1)
    by_row = x.permute(0, 2, 3, 1)  # selects whole rows of pixels and keeps the order of memory
    rows = by_row.index_select(1, low)
    rows = rows.lerp(by_row.index_select(1, (low + 1).clamp_max(last)), between)
    return resize_map(rows.permute(0, 3, 1, 2), (bottom - top, size[1]))
