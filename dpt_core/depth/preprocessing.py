"""Images in, depth out: the official sizes and resampling, without OpenCV."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import ImageRule

Size = tuple[int, int]  # height, width


def network_size(size: Size, rule: ImageRule, side: int | None = None) -> Size:
    """The size at which an image of `size` enters the network.

    As in the official code: ``"cover"`` is its ``lower_bound``, ``"closest"`` its
    ``minimal``; sides are rounded to multiples, half to even. Where that gives 0 (and the
    official code then fails) the side is one multiple.

    Args:
        size: height and width of the image in pixels.
        rule: the model's image rule.
        side: instead of the rule's own, any positive number of pixels.
    """
    side = rule.side if side is None else side
    if rule.fit == "square":
        # Windows must tile every map: once the trained side, or an even number of times.
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
    """B×3×H×W in [0, 1] → the network's normalised float32 input at `size`.

    Bicubic with a = −0.75, half-pixel centres, no antialiasing and no clamping, as the
    official code has OpenCV do it. In float64 where the device has it: in float32 the
    sample positions alone are off by 1e-4 of a pixel's value on large photographs.
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
    """The widest floating-point format that a device is sure to compute in."""
    return torch.float64 if device.type in ("cpu", "cuda") else torch.float32


def to_image(depth: Tensor, rule: ImageRule, size: Size) -> Tensor:
    """Depth B×h×w at the network's size → float32 B×H×W at the image's."""
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
    snapped = round(side / multiple) * multiple
    if snapped < minimum:
        snapped = math.ceil(max(side, 1e-9) / multiple) * multiple
    return snapped


def _area_weights(side: int, smaller: int, like: Tensor) -> Tensor:
    """smaller×side: the share of each pixel in each larger one, which is its average."""
    edges = torch.arange(smaller + 1, device=like.device, dtype=like.dtype) * (side / smaller)
    pixels = torch.arange(side, device=like.device, dtype=like.dtype)
    low = torch.maximum(edges[:-1, None], pixels)
    high = torch.minimum(edges[1:, None], pixels + 1)
    return (high - low).clamp_(min=0) * (smaller / side)
