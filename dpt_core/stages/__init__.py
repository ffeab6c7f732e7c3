"""What each part of a depth model sees, as maps and pictures; the model is left as it is.

>>> view = View("stages")
>>> found = extract_features(model, images, view)             # maps and depth of one run
>>> pictures = visualize(found.maps, MapStyle("pca"))     # as RGB
"""

from .ablation import Ablation, ablate
from .features import WHATS, FeatureMap, Features, View, block_norms, extract_features
from .pictures import HOWS, MapStyle, Picture, visualize
from .sam import extract_sam_features

__all__ = [
    "HOWS",
    "WHATS",
    "Ablation",
    "FeatureMap",
    "Features",
    "MapStyle",
    "Picture",
    "View",
    "ablate",
    "block_norms",
    "extract_features",
    "extract_sam_features",
    "visualize",
]
