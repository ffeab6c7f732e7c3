"""What each part of a depth model sees, as maps and pictures; the model is left as it is.

>>> view = View("stages")
>>> found = look(model, images, view)             # maps and depth of one run
>>> pictures = show(found.maps, Style("pca"))     # as RGB
"""

from .change import Changes, change
from .look import WHATS, Look, StageMap, View, block_norms, look
from .sam import look_at_sam
from .show import HOWS, Picture, Style, show

__all__ = [
    "HOWS",
    "WHATS",
    "Changes",
    "Look",
    "Picture",
    "StageMap",
    "Style",
    "View",
    "block_norms",
    "change",
    "look",
    "look_at_sam",
    "show",
]
