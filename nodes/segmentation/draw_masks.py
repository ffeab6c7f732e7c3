"""Pictures of masks: over the photograph, and for the editor in the browser."""

import colorsys
import io as streams

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

TINT = 0.4  # how much of a mask's inside is its colour
EDITOR_SIDE = 1600  # pixels that the longer side of the editor's pictures has at most


def draw_masks(masks: Tensor) -> Tensor:
    """K×H×W bool → H×W×4 in [0, 1]: a colour for each mask, its outline opaque.

    Where masks overlap the later one is on top.
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
        part = layer[rows, columns]
        part[inside] = torch.cat([colour, torch.tensor([TINT])])
        part[_outline(inside, thickness)] = torch.cat([colour, torch.ones(1)])
    return layer


def mask_colour(number: int) -> tuple[float, float, float]:
    """RGB in [0, 1]; neighbours in number are far apart in hue."""
    return colorsys.hsv_to_rgb((0.58 + number * 0.618034) % 1, 0.75, 1.0)


def overlay(image: Tensor, layer: Tensor) -> Tensor:
    """A photograph H×W×3 in [0, 1] with the layer H×W×4 of `draw_masks` over it."""
    alpha = layer[..., 3:]
    return image.float() * (1 - alpha) + layer[..., :3] * alpha


def _outline(mask: Tensor, thickness: int) -> Tensor:
    """The pixels of a mask that are next to others; the edge of the picture is no outline."""
    outside = (~mask).float()[None, None]
    near = F.max_pool2d(outside, 2 * thickness + 1, stride=1, padding=thickness)
    return mask & (near[0, 0] > 0)


def _extent(line: Tensor, margin: int) -> slice:
    places = line.nonzero()
    return slice(max(int(places[0]) - margin, 0), int(places[-1]) + margin + 1)


def encode_photo(image: Tensor) -> bytes:
    """H×W×3 in [0, 1] → JPEG, made smaller where it is large."""
    return _encode(_shrink(_to_bytes(image)), "JPEG", quality=90)


def encode_layer(layer: Tensor) -> bytes:
    """H×W×4 in [0, 1] → PNG with transparency, made smaller in the same way."""
    return _encode(_shrink(_to_bytes(layer)), "PNG")


def _to_bytes(image: Tensor) -> np.ndarray:
    return image.float().clamp(0, 1).mul(255).round().to("cpu", torch.uint8).numpy()


def _shrink(pixels: np.ndarray) -> Image.Image:
    picture = Image.fromarray(pixels)
    picture.thumbnail((EDITOR_SIDE, EDITOR_SIDE), Image.Resampling.BOX)
    return picture


def _encode(picture: Image.Image, form: str, **options: int) -> bytes:
    stream = streams.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()
