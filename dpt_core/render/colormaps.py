"""Colour maps."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

COLORMAPS = ("grey", "turbo", "inferno", "viridis", "spectral")


def colorize(values: Tensor, colormap: str) -> Tensor:
    """B×H×W in [0, 1] → RGB B×H×W×3 in [0, 1], on the same device.

    Colours are interpolated linearly between those of the table.

    Raises:
        ValueError: there is no colour map of that name.
    """
    if colormap not in COLORMAPS:
        raise ValueError(f"There is no colour map {colormap!r}; choose one of {COLORMAPS}.")
    if colormap == "grey":
        return values.unsqueeze(-1).expand(*values.shape, 3)
    table = _table(colormap).to(values)
    position = values.clamp(0, 1) * (len(table) - 1)
    low = position.floor().clamp(max=len(table) - 2)
    share = (position - low).unsqueeze(-1)
    index = low.long()
    return torch.lerp(table[index], table[index + 1], share)


@cache
def _table(colormap: str) -> Tensor:
    """256×3 in [0, 1]: one row of the picture file with all the colour maps."""
    with Image.open(Path(__file__).with_name("colormaps.png")) as picture:
        rows = np.asarray(picture.convert("RGB"))
    return torch.from_numpy(rows[COLORMAPS.index(colormap) - 1].copy()).float() / 255
