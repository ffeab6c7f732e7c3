"""Encode depth maps as files, and write files completely or not at all."""

import io
import os
import secrets
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from .errors import FileError
from .images import MAX_UINT16

MILLIMETRE = 0.001


def encode_png16(depth: np.ndarray, kind: str) -> bytes:
    """A 16-bit grey PNG whose text entries say how to restore the raw values.

    Near is white: inverse depth goes from its minimum (0) to its maximum (65535), and depth
    without a unit from its maximum (0) to its minimum. Metres are stored as millimetres, clipped
    at 65535. In every case, raw = offset + scale × pixel.

    Args:
        depth: raw depth, H×W.
        kind: as in `Depth`.
    """
    values = depth.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if kind == "metres":
        offset, scale = 0.0, MILLIMETRE
        pixels = values / MILLIMETRE
    else:
        offset, span = (low, high - low) if kind == "inverse" else (high, low - high)
        scale = span / MAX_UINT16
        # Dividing by `scale` fails for a flat map and loses accuracy where the span is tiny.
        pixels = (values - offset) / span * MAX_UINT16 if span else np.zeros_like(values)
    text = PngInfo()
    numbers = {"min": low, "max": high, "scale": scale, "offset": offset}
    for key, value in {"kind": kind, **numbers}.items():
        text.add_text(key, str(value))
    return encode_png(np.rint(pixels).clip(0, MAX_UINT16).astype(np.uint16), text)


def encode_png(pixels: np.ndarray, text: PngInfo | None = None) -> bytes:
    """A PNG file of H×W grey with 8 or 16 bits, or H×W×3 RGB with 8 bits."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", pnginfo=text)
    return stream.getvalue()


def encode_npy(depth: np.ndarray) -> bytes:
    """A file in NumPy's format."""
    stream = io.BytesIO()
    np.save(stream, depth, allow_pickle=False)
    return stream.getvalue()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file completely or not at all; an existing one is replaced only at the end.

    Missing parent folders are created.

    Raises:
        FileError: the file cannot be written.
    """
    # Hidden, so that no search of the folder takes an incomplete file for an image.
    part = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                # Otherwise a power cut may leave an empty file under the final name.
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{path} could not be written ({error.strerror or error}).") from error
