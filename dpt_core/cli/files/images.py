"""Read images of any format as upright RGB."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import InputError

# Searched for in folders; a file given by name may be anything that Pillow reads.
IMAGE_SUFFIXES = (
    ".avif",
    ".bmp",
    ".gif",
    ".jfif",
    ".jp2",
    ".jpeg",
    ".jpg",
    ".pgm",
    ".png",
    ".ppm",
    ".tga",
    ".tif",
    ".tiff",
    ".webp",
)
MAX_UINT16 = 65535


def read_image(path: Path) -> np.ndarray:
    """Read an image; for an animation or a multi-page file, only the first image.

    Returns:
        H×W×3 float32 RGB in [0, 1], turned upright by its EXIF orientation; alpha is dropped.

    Raises:
        InputError: the file is not an image or is damaged; the message is only the reason.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata and large images, neither of which changes the depth.
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                return _to_rgb(ImageOps.exif_transpose(image))
    except InputError:
        raise
    except UnidentifiedImageError as error:
        is_empty = path.stat().st_size == 0
        raise InputError("the file is empty" if is_empty else "not a readable image") from error
    except Exception as error:  # each of Pillow's formats raises different errors
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(reason or _one_line(error)) from error


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode == "F" or image.mode.startswith("I"):
        # Pillow's own conversion would clip these at 255.
        largest = 1 if image.mode == "F" else MAX_UINT16
        grey = np.asarray(image).astype(np.float32) / largest
        if not (grey.min() >= 0 and grey.max() <= 1):
            raise InputError(f"its values are not within 0 to {largest}")
        return np.repeat(grey[:, :, None], 3, axis=2)
    return np.asarray(image.convert("RGB")).astype(np.float32) / 255


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
