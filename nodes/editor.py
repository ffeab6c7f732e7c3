"""What the point editor in the browser gets after a run."""

from typing import Any

from torch import Tensor

from . import host
from .segmentation.draw_masks import encode_photo


def editor_picture(image: Tensor) -> dict[str, Any]:
    """Where the browser finds an image H×W×C, and the size that places on it are in."""
    photo = host.save_temporary("dpt_editor", ".jpg", encode_photo(image[..., :3]))
    return {"image": photo, "size": {"width": image.shape[1], "height": image.shape[0]}}
