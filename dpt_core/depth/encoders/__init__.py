"""Image encoders: images → four stages of maps, each with its cls token if it has one.

`build_encoder` makes the one that a configuration describes.
"""

from torch import nn

from ...layers import Ops
from ..config import EncoderConfig, HybridConfig, SwinConfig
from .hybrid import HybridViT
from .swin import Swin
from .vit import ViT


def build_encoder(config: EncoderConfig, ops: Ops) -> nn.Module:
    """Build the encoder that a configuration describes."""
    if isinstance(config, SwinConfig):
        return Swin(config, ops)
    if isinstance(config, HybridConfig):
        return HybridViT(config, ops)
    return ViT(config, ops)
