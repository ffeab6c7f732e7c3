"""Masks as coloured layers over a photograph."""

import colorsys

import torch
import torch.nn.functional as F
from torch import Tensor

TINT = 0.4  # opacity of a mask's colour inside its outline


def draw_masks(masks: Tensor) -> Tensor:
    """K×H×W bool → H×W×4 in [0, 1]: a colour for each mask, with an opaque outline.

    Where masks overlap, the later one is on top.
    """
    height, width = masks.shape[-2:]
    layer = torch.zeros(height, width, 4)
    thickness = max(1, round(min(height, width) / 350))
    for number, mask in enumerate(masks):
        if not mask.any():
            continue
        colour = torch.tensor(mask_colour(number))
        rows, columns = _extent(mask.any(dim=1), thickness), _extent(mask.any(dim=0), thickness)
        inside = mask[rows, columns]
        cropped = layer[rows, columns]
        cropped[inside] = torch.cat([colour, torch.tensor([TINT])])
        cropped[_outline(inside, thickness)] = torch.cat([colour, torch.ones(1)])
    return layer


def mask_colour(number: int) -> tuple[float, float, float]:
    """RGB in [0, 1]; consecutive numbers have very different hues."""
    return colorsys.hsv_to_rgb((0.58 + number * 0.618034) % 1, 0.75, 1.0)


def overlay(image: Tensor, layer: Tensor) -> Tensor:
    """A photograph H×W×3 in [0, 1] under a layer H×W×4 from `draw_masks`."""
    alpha = layer[..., 3:]
    return image.float() * (1 - alpha) + layer[..., :3] * alpha


def _outline(mask: Tensor, thickness: int) -> Tensor:
    """The pixels of a mask that touch pixels outside it. The image border does not count."""
    outside = (~mask).float()[None, None]
    near = F.max_pool2d(outside, 2 * thickness + 1, stride=1, padding=thickness)
    return mask & (near[0, 0] > 0)


def _extent(line: Tensor, margin: int) -> slice:
    """From the first to the last True of N bool, with a margin on either side."""
    set_indices = line.nonzero()
    return slice(max(int(set_indices[0]) - margin, 0), int(set_indices[-1]) + margin + 1)
