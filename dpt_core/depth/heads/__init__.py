"""Heads, which make a prediction from the four fused maps; `build_head` builds one."""

from ...layers import Ops
from ..config import HeadConfig
from .depth import DepthHead


def build_head(config: HeadConfig, features: int, ops: Ops) -> DepthHead:
    """Build the head that a configuration describes, for fused maps of `features` channels."""
    return DepthHead(config, features, ops)
