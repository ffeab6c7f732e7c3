"""One table per key layout: how it is recognised, renamed, and what its weights do not say."""

from . import depth_anything
from .family import Family

FAMILIES: tuple[Family, ...] = (depth_anything.OFFICIAL, depth_anything.OFFICIAL_GIANT)

__all__ = ["FAMILIES", "Family"]
