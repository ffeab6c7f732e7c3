"""Pictures for the point editor in the browser, which shows them after a run."""

import io
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from .host import running

LONGEST_SIDE = 1600  # pixels; larger pictures are made smaller


def editor_image(images: Tensor) -> dict[str, Any]:
    """Where the browser finds the first of B×H×W×C, its size, and how many images there are."""
    count, height, width, _ = images.shape
    photo = _to_file(images[0, ..., :3], "JPEG", quality=90)
    saved = running.save_temporary("dpt_editor", ".jpg", photo)
    return {"image": saved, "size": {"width": width, "height": height}, "count": count}


def editor_layer(layer: Tensor) -> dict[str, str]:
    """Where the browser finds a layer H×W×4 in [0, 1] to show over the image."""
    return running.save_temporary("dpt_segment", ".png", _to_file(layer, "PNG"))


def _to_file(pixels: Tensor, file_type: str, **options: int) -> bytes:
    """H×W×C in [0, 1] → the bytes of an image file, no larger than the editor needs."""
    array = pixels.float().clamp(0, 1).mul(255).round().to("cpu", torch.uint8).numpy()
    picture = Image.fromarray(array)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX)
    stream = io.BytesIO()
    picture.save(stream, file_type, **options)
    return stream.getvalue()
