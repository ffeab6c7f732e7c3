"""What a Segment Anything checkpoint is, known without building the model."""

from dataclasses import dataclass

from ..checkpoint.inspection import FileInspection
from .config import SAMConfig


@dataclass(frozen=True)
class SAMInspection(FileInspection[SAMConfig]):
    """What `load_sam` builds from a file; there are no hints: the weights say everything."""

    def describe_encoder(self) -> str:
        """The encoder's size in a few words; each stage ends with a block of global attention."""
        encoder = self.config.encoder
        stages = " + ".join(str(depth + 1) for depth in encoder.stages)
        return f"{encoder.blocks} blocks ({stages}), width {encoder.width}, window {encoder.window}"

    def describe_result(self) -> str:
        """Masks, and the size of image that the network works with."""
        return f"masks, from a longest side of {self.config.encoder.side} pixels"
