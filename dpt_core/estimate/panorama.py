"""Images whose opposite sides meet: panoramas and tileable textures."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .tiles import smoothstep

Padding = tuple[int, int]  # rows above and below, columns left and right


def pad_circular(images: Tensor, padding: Padding) -> Tensor:
    """Extend B×C×H×W beyond each side with the pixels at the opposite one."""
    if padding == (0, 0):
        return images
    rows, columns = padding
    return F.pad(images, (columns, columns, rows, rows), mode="circular")


def crop_padding(values: Tensor, padding: Padding) -> Tensor:
    """The inverse of `pad_circular`, for maps H×W; a view."""
    height, width = values.shape
    rows, columns = padding
    return values[rows : height - rows, columns : width - columns]


def blend_seam(values: Tensor, padding: Padding) -> Tensor:
    """Crop the padding of a map H×W and blend it into the opposite side, so that the two meet."""
    for dim, reach in enumerate(padding):
        if not reach:
            continue
        side = values.shape[dim] - 2 * reach
        out = values.narrow(dim, reach, side).clone()
        # From 1/2 at the seam, where both estimates count equally, to 0 at `reach` pixels from it.
        fade = 0.5 * smoothstep(1 - (torch.arange(reach) + 0.5) / reach)
        back = fade.flip(0)
        if dim == 0:
            fade, back = fade.unsqueeze(1), back.unsqueeze(1)
        start, end = out.narrow(dim, 0, reach), out.narrow(dim, side - reach, reach)
        start.lerp_(values.narrow(dim, reach + side, reach), fade.expand_as(start))
        end.lerp_(values.narrow(dim, 0, reach), back.expand_as(end))
        values = out
    return values
