"""Heads: the four fused maps to a result. Each is made of its configuration by `build_head`."""

from ...layers import Ops
from ..config import HeadConfig
from .depth import DepthHead


def build_head(config: HeadConfig, features: int, ops: Ops) -> DepthHead:
    """The head that a configuration describes, for fused maps of `features` channels."""
    return DepthHead(config, features, ops)
