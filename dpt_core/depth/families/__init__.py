"""Depth families: for each key layout its signature, renaming table, hints and configuration."""

from ...checkpoint.family import Family
from . import depth_anything, depth_anything_3, midas_swin, midas_vit

FAMILIES: tuple[Family, ...] = (
    *depth_anything.FAMILIES,
    *depth_anything_3.FAMILIES,
    *midas_vit.FAMILIES,
    *midas_swin.FAMILIES,
)

__all__ = ["FAMILIES", "Family"]
