"""Feature maps from every part of a depth model, and pictures of them.

>>> spec = FeatureSpec("stages")
>>> features = extract_features(model, images, spec)           # maps and depth of one run
>>> pictures = visualize(features.maps, MapStyle("pca"))       # RGB
"""

from .ablation import Ablation, ablate
from .feature_map import FEATURE_NAMES, FeatureMap, FeatureSpec
from .features import Features, block_norms, extract_features
from .pictures import VISUALIZATIONS, MapStyle, Picture, visualize
from .sam import extract_sam_features

__all__ = [
    "FEATURE_NAMES",
    "VISUALIZATIONS",
    "Ablation",
    "FeatureMap",
    "FeatureSpec",
    "Features",
    "MapStyle",
    "Picture",
    "ablate",
    "block_norms",
    "extract_features",
    "extract_sam_features",
    "visualize",
]
