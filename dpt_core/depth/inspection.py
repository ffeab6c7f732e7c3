"""What a depth checkpoint is, known without building the model."""

from dataclasses import dataclass

from ..checkpoint.inspection import FileInspection
from .config import DPTConfig, EncoderConfig, SwinConfig


@dataclass(frozen=True)
class Inspection(FileInspection[DPTConfig]):
    """What `load` builds from a file."""

    def describe_encoder(self) -> str:
        """The encoder's size in a few words."""
        return describe_encoder(self.config.encoder)

    def describe_result(self) -> str:
        """The depth's unit, and the size of image that the network works with."""
        rule = self.config.image
        shape = "a square of" if rule.fit == "square" else "sides around"
        return f"{describe_unit(self.config)}, from {shape} {rule.side} pixels"


def describe_encoder(encoder: EncoderConfig) -> str:
    """The encoder's size in a few words."""
    depths = encoder.stage_depths
    blocks = f"{sum(depths)} blocks ({' + '.join(map(str, depths))}), width {encoder.width}"
    if isinstance(encoder, SwinConfig):
        return f"{blocks}, window {encoder.window}"
    return blocks


def describe_unit(config: DPTConfig) -> str:
    """What the depth is, in a few words."""
    if config.kind == "metres":
        return f"metres, up to {config.max_depth:g}"
    if config.kind == "distance":
        return "metres with a known field of view" if config.metres_per_focal else "distance"
    return "inverse depth (relative)"
