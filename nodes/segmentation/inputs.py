"""Inputs that several segmentation nodes share."""

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from ..types import DptSam


def sam_input() -> io.Input:
    """The Segment Anything model."""
    return DptSam.Input("sam", tooltip="The model from Load SAM Checkpoint.")
