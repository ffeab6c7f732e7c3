"""Resize images for the network, and its depth back, as the official code does without OpenCV."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import ImageRule

Size = tuple[int, int]  # height, width


def network_size(size: Size, rule: ImageRule, side: int | None = None) -> Size:
    """The size at which an image of `size` enters the network.

    The official code calls ``"cover"`` ``lower_bound`` and ``"closest"`` ``minimal``. As there,
    sides are rounded to multiples, half to even. Where that gives 0, and the official code fails,
    the side is one multiple.

    Args:
        size: height and width of the image in pixels.
        rule: the model's image rule.
        side: any positive number of pixels, instead of the rule's own.

    Returns:
        Height and width in pixels.
    """
    side = rule.side if side is None else side
    if rule.fit == "square":
        # Windows must tile every map: the trained side works once, or an even number of times.
        times = round(side / rule.multiple)
        side = rule.multiple * (1 if times <= 1 else times + times % 2)
        return side, side
    if rule.fit == "stretch":
        side = _round_to_multiple(side, rule.multiple, rule.multiple)
        return side, side
    height, width = size
    scales = (side / height, side / width)
    if rule.fit == "cover":
        scale = max(scales)
        minimum = side
    else:
        closest = scales[1] if abs(1 - scales[1]) < abs(1 - scales[0]) else scales[0]
        scale = closest if rule.fit == "closest" else min(scales)
        minimum = rule.multiple
    return (
        _round_to_multiple(scale * height, rule.multiple, minimum),
        _round_to_multiple(scale * width, rule.multiple, minimum),
    )


def to_network(images: Tensor, rule: ImageRule, size: Size) -> Tensor:
    """B×3×H×W in [0, 1] → the network's normalised float32 input B×3×h×w at `size`.

    Bicubic with a = −0.75, half-pixel centres, no antialiasing and no clamping, like OpenCV in the
    official code. Computed in float64 where the device supports it: in float32, the rounding of
    sample positions by itself changes pixels of large photographs by 1e-4.
    """
    exact = exact_dtype(images.device)
    images = images.to(exact)
    height, width = images.shape[-2:]
    if rule.shrink == "area" and size[0] <= height and size[1] <= width:
        images = (
            _area_weights(height, size[0], images)
            @ images
            @ _area_weights(width, size[1], images).T
        )
    elif (height, width) != size:
        images = F.interpolate(images, size=size, mode="bicubic", align_corners=False)
    mean = torch.tensor(rule.mean, dtype=exact, device=images.device).view(3, 1, 1)
    std = torch.tensor(rule.std, dtype=exact, device=images.device).view(3, 1, 1)
    return images.sub(mean).div_(std).float()


def exact_dtype(device: torch.device) -> torch.dtype:
    """The widest floating-point format that a device is sure to support."""
    return torch.float64 if device.type in ("cpu", "cuda") else torch.float32


def to_image(depth: Tensor, rule: ImageRule, size: Size) -> Tensor:
    """Depth B×h×w at the network's size → float32 B×H×W at the image's size."""
    depth = depth.float()
    if depth.shape[-2:] == size:
        return depth
    resized = F.interpolate(
        depth.unsqueeze(1),
        size=size,
        mode=rule.depth_resampling,
        align_corners=rule.depth_corners,
    )
    return resized.squeeze(1)


def _round_to_multiple(side: float, multiple: int, minimum: int) -> int:
    """Round a side to the nearest multiple, or up if that is less than `minimum`."""
    snapped = round(side / multiple) * multiple
    if snapped < minimum:
        snapped = math.ceil(max(side, 1e-9) / multiple) * multiple
    return snapped


def _area_weights(side: int, smaller: int, like: Tensor) -> Tensor:
    """The matrix smaller×side that averages by area: the share of each pixel in each larger one."""
    edges = torch.arange(smaller + 1, device=like.device, dtype=like.dtype) * (side / smaller)
    pixels = torch.arange(side, device=like.device, dtype=like.dtype)
    low = torch.maximum(edges[:-1, None], pixels)
    high = torch.minimum(edges[1:, None], pixels + 1)
    return (high - low).clamp_(min=0) * (smaller / side)
