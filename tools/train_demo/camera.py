"""Imitate a camera: crop, focus, exposure, colour, blur and noise."""

import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch import Tensor


def crop(
    images: Tensor, depth: Tensor, size: tuple[int, int], rng: Generator
) -> tuple[Tensor, Tensor]:
    """Crop the whole batch at random to the network's input size, perhaps mirrored.

    Images are resized with antialiasing, as photographs are; depth is not.

    Args:
        images: B×3×S×S in [0, 1].
        depth: B×S×S.
        size: height and width of the result.
        rng: decides the crop.

    Returns:
        Images B×3×H×W and depth B×H×W.
    """
    side, aspect = images.shape[-1], size[1] / size[0]
    scale = side * rng.uniform(0.65, 1)
    height, width = int(min(scale, scale / aspect)), int(min(scale, scale * aspect))
    top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
    images = images[:, :, top : top + height, left : left + width]
    depth = depth[:, None, top : top + height, left : left + width]
    images = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
    depth = F.interpolate(depth, size, mode="nearest-exact")[:, 0]
    if rng.random() < 0.5:
        images, depth = images.flip(-1), depth.flip(-1)
    return images, depth


def photograph(images: Tensor, depth: Tensor, rng: Generator) -> Tensor:
    """Images B×3×H×W in [0, 1], changed as if a camera had taken each, with its own defects."""
    batch = len(images)

    def each(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (batch, 1, 1, 1)).astype("float32"))

    images = _defocus(images, 1 / depth[:, None], each)
    images = images * (1 + each(-0.15, 0.15) * each(0, 1).round())
    images = images * torch.exp2(each(-0.9, 0.9))
    gains = torch.from_numpy(rng.normal(1, 0.08, (batch, 3, 1, 1)).astype("float32"))
    images = (images * gains).clamp(1e-4, 1) ** torch.exp2(each(-0.9, 0.5))
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * torch.where(each(0, 1) < 0.08, 0.0, each(0.5, 1.4))
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    images = middle + (images - middle) * each(0.6, 1.5)
    noise = torch.from_numpy(rng.normal(size=tuple(images.shape)).astype("float32"))
    images = images + noise * (each(0, 1) ** 3 * 0.06)
    return (images.clamp(0, 1) * 255).round() / 255


def _defocus(images: Tensor, inverse: Tensor, each) -> Tensor:
    """Blur what is out of focus; some pictures are soft all over.

    One in four is like a close-up: its nearest part is sharp and the background very blurred.
    """
    nearest = inverse.amax(dim=(2, 3), keepdim=True)
    is_close = each(0, 1) < 0.25
    focus = nearest * torch.where(is_close, each(0.7, 1), each(0, 1))
    strength = torch.where(is_close, each(3.0, 7.0), each(-2.0, 3.0).clamp_min(0))
    away = (inverse - focus).abs() / nearest.clamp_min(1e-6) * strength
    away = away + each(-2.0, 0.8).clamp_min(0)
    mixed = blurred = images
    for level, passes in enumerate((2, 4, 8, 16)):  # 1, 2, 4 and 8 pixels wide
        blurred = _blur(blurred, passes)
        mixed = mixed.lerp(blurred, (away - level).clamp(0, 1))
    return mixed


def _blur(images: Tensor, passes: int) -> Tensor:
    """Apply a 3×3 box filter `passes` times; at a quarter of the pixels if that looks the same."""
    step = 2 if passes > 4 and min(images.shape[-2:]) >= 32 else 1
    out = F.avg_pool2d(images, step) if step > 1 else images
    for _ in range(passes // step**2):
        out = F.avg_pool2d(F.pad(out, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return F.interpolate(out, images.shape[-2:], mode="bilinear") if step > 1 else out
