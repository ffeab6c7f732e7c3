"""Depth from any DPT-style checkpoint: the family and every size are read off the weights.

model = dpt_core.load("depth_anything_v2_vits.pth")
depth = model.infer(images)  # B×3×H×W in [0, 1] → raw depth at the images' size

Masks from any Segment Anything v1 checkpoint work in the same way:

model = dpt_core.load_sam("sam_vit_b_01ec64.pth")
embedding = model.encode_image(image)  # 1×3×H×W in [0, 1]
masks = model.predict(embedding, points, labels)  # pixels (x, y) → N×3×H×W
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .capture import capture  # not lazy: the module has the same name

if TYPE_CHECKING:
    from .checkpoint.inspection import Inspection
    from .depth.config import DPTConfig, HybridConfig, ImageRule, SwinConfig, ViTConfig
    from .depth_map import Depth
    from .errors import CheckpointError
    from .estimate.model import DepthModel
    from .loading import inspect, load, load_sam
    from .render import depth_mask
    from .sam.automatic import AutomaticMasks
    from .sam.config import SAMConfig
    from .sam.crops import MaskRules
    from .sam.depth_prompts import LayerPrompts, layer_prompts
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

# The module of each name, imported on first use: importing torch takes seconds, and the command
# line needs it neither to show its help nor to reject an option.
_MODULES = {
    "AutomaticMasks": "sam.automatic",
    "CheckpointError": "errors",
    "DPTConfig": "depth.config",
    "Depth": "depth_map",
    "DepthModel": "estimate.model",
    "HybridConfig": "depth.config",
    "ImageRule": "depth.config",
    "Inspection": "checkpoint.inspection",
    "LayerPrompts": "sam.depth_prompts",
    "MaskRules": "sam.crops",
    "Masks": "sam.model",
    "SAMConfig": "sam.config",
    "SamEmbedding": "sam.model",
    "SamModel": "sam.model",
    "SwinConfig": "depth.config",
    "ViTConfig": "depth.config",
    "depth_mask": "render",
    "inspect": "loading",
    "layer_prompts": "sam.depth_prompts",
    "load": "loading",
    "load_sam": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value
