"""Depth from any DPT-style checkpoint: the family and every size are read off the weights.

model = dpt_core.load("depth_anything_v2_vits.pth")
depth = model.infer(images)  # B×3×H×W in [0, 1] → raw depth at the images' size
"""

from .capture import capture
from .depth.config import DPTConfig, HybridConfig, ImageRule, SwinConfig, ViTConfig
from .depth.inspection import Inspection
from .depth.load import inspect, load
from .depth.model import Depth, DepthModel
from .errors import CheckpointError

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "DPTConfig",
    "Depth",
    "DepthModel",
    "HybridConfig",
    "ImageRule",
    "Inspection",
    "SwinConfig",
    "ViTConfig",
    "capture",
    "inspect",
    "load",
]
