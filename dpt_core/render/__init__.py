"""Raw depth to pictures. Rendering is the last step: raw values stay as they are."""

from .colormaps import COLORMAPS, colorize
from .normalise import control_image, normalise
from .picture import EachImage, Fixed, Frame, Range, Rendering, Steady, Style, WholeBatch, render
from .sizes import Target, pixel_perfect, to_multiple, to_short_side

__all__ = [
    "COLORMAPS",
    "EachImage",
    "Fixed",
    "Frame",
    "Range",
    "Rendering",
    "Steady",
    "Style",
    "Target",
    "WholeBatch",
    "colorize",
    "control_image",
    "normalise",
    "pixel_perfect",
    "render",
    "to_multiple",
    "to_short_side",
]
