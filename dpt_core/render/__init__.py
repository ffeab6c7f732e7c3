"""Raw depth to pictures and masks: the last step, which leaves the raw values as they are."""

from .colormaps import COLORMAPS, colorize
from .frames import RenderedFrame, render
from .masks import depth_mask
from .normalise import control_image, normalise
from .output_size import OutputSize, pixel_perfect, resize, to_multiple, to_short_side
from .settings import (
    BatchRange,
    FixedRange,
    PerImageRange,
    Range,
    RenderSettings,
    RenderStyle,
    SteadyRange,
)

__all__ = [
    "COLORMAPS",
    "BatchRange",
    "FixedRange",
    "OutputSize",
    "PerImageRange",
    "Range",
    "RenderSettings",
    "RenderStyle",
    "RenderedFrame",
    "SteadyRange",
    "colorize",
    "control_image",
    "depth_mask",
    "normalise",
    "pixel_perfect",
    "render",
    "resize",
    "to_multiple",
    "to_short_side",
]
