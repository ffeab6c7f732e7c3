"""Depth from any DPT-style checkpoint: the family and every size are read off the weights.

model = dpt_core.load("depth_anything_v2_vits.pth")
depth = model.infer(images)  # B×3×H×W in [0, 1] → raw depth at the images' size

And masks from any Segment Anything v1 checkpoint, in the same way:

model = dpt_core.load_sam("sam_vit_b_01ec64.pth")
embedding = model.encode_image(image)  # 1×3×H×W in [0, 1]
masks = model.predict(embedding, points, labels)  # pixels (x, y) → N×3×H×W
"""

from .capture import capture
from .checkpoint.inspection import Inspection
from .depth.config import DPTConfig, HybridConfig, ImageRule, SwinConfig, ViTConfig
from .depth_map import Depth
from .errors import CheckpointError
from .estimate.model import DepthModel
from .loading import inspect, load, load_sam
from .sam.automatic import AutomaticMasks, MaskRules
from .sam.by_depth import LayerPrompts, depth_mask, layer_prompts
from .sam.config import SAMConfig
from .sam.model import Masks, SamEmbedding, SamModel

__version__ = "0.1.0"

__all__ = [
    "AutomaticMasks",
    "CheckpointError",
    "DPTConfig",
    "Depth",
    "DepthModel",
    "HybridConfig",
    "ImageRule",
    "Inspection",
    "Inspection",
    "LayerPrompts",
    "MaskRules",
    "Masks",
    "SAMConfig",
    "SamEmbedding",
    "SamModel",
    "SwinConfig",
    "ViTConfig",
    "capture",
    "depth_mask",
    "inspect",
    "layer_prompts",
    "load",
    "load_sam",
]
