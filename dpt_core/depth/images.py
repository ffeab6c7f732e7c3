"""Images in, depth out: the official sizes and resampling, without OpenCV."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import ImageRule

Size = tuple[int, int]  # height, width


def network_size(size: Size, rule: ImageRule, side: int | None = None) -> Size:
    """The size at which an image of `size` enters the network.

    ``"cover"`` keeps the aspect as near as multiples allow, with both sides at least `side`
    (the official ``lower_bound`` rule: round half to even, up where that is too small).

    Args:
        size: height and width of the image in pixels.
        rule: the model's image rule.
        side: instead of the rule's own, any positive number of pixels.
    """
    side = rule.side if side is None else side
    height, width = size
    scale = max(side / height, side / width)
    return (
        _snap(scale * height, rule.multiple, at_least=side),
        _snap(scale * width, rule.multiple, at_least=side),
    )


def to_network(images: Tensor, rule: ImageRule, size: Size) -> Tensor:
    """B×3×H×W in [0, 1] → the network's normalised float32 input at `size`.

    Bicubic with a = −0.75, half-pixel centres, no antialiasing and no clamping, as the
    official code has OpenCV do it. In float64 where the device has it: in float32 the
    sample positions alone are off by 1e-4 of a pixel's value on large photographs.
    """
    exact = torch.float32 if images.device.type == "mps" else torch.float64
    images = images.to(exact)
    if images.shape[-2:] != size:
        images = F.interpolate(images, size=size, mode="bicubic", align_corners=False)
    mean = torch.tensor(rule.mean, dtype=exact, device=images.device).view(3, 1, 1)
    std = torch.tensor(rule.std, dtype=exact, device=images.device).view(3, 1, 1)
    return images.sub(mean).div_(std).float()


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


def check_images(images: Tensor) -> None:
    """Refuse what is not B×3×H×W of finite floats, before anything is computed.

    Raises:
        TypeError: not a floating-point tensor.
        ValueError: wrong shape, no pixels, or a frame with NaN or infinite values.
    """
    if not isinstance(images, Tensor) or not images.is_floating_point():
        found = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(
            f"The images are {found}; a float tensor B×3×H×W in [0, 1] was expected. "
            "Divide 8-bit values by 255."
        )
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
        shape = "×".join(str(side) for side in images.shape)
        raise ValueError(
            f"The images are {shape}; B×3×H×W with at least one pixel was expected. "
            "Give RGB images, channels before rows and columns."
        )
    for number, image in enumerate(images):
        # The sum of a frame is finite exactly when all of its values are (they are near 1),
        # and needs no second copy of the frame.
        if not torch.isfinite(image.sum(dtype=torch.float32)):
            raise ValueError(
                f"Image {number} of the batch (counted from 0) has NaN or infinite values; "
                "numbers in [0, 1] were expected. Check the node or file that made it."
            )


def _snap(side: float, multiple: int, at_least: int) -> int:
    snapped = round(side / multiple) * multiple
    if snapped < at_least:
        snapped = math.ceil(side / multiple) * multiple
    return snapped
