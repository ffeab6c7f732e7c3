"""What a Segment Anything checkpoint is, known without building the model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checkpoint.known import KnownFile, find_known
from .config import SAMConfig


@dataclass(frozen=True)
class SAMInspection:
    """What `load_sam` builds from a file; the fields are those of a depth model's `Inspection`.

    Attributes:
        path: the file.
        family: the model family's name.
        layout: whose key names the file has.
        config: the whole configuration.
        hints: empty, since the weights say everything.
        parameters: numbers in the network (what is unused in the file not counted).
        dtype: the number format of most of the file, ``"float32"``, ``"float16"``, …
        bytes: size of the file.
        warnings: sentences about what is odd in the file; empty for a sound one.
    """

    path: Path
    family: str
    layout: str
    config: SAMConfig
    hints: tuple[Any, ...]
    parameters: int
    dtype: str
    bytes: int
    warnings: tuple[str, ...] = ()

    @property
    def known(self) -> KnownFile | None:
        """The published file that it is, byte for byte, with its licence, if it is a known one."""
        return find_known(self.path)

    def summary(self) -> str:
        """A few lines for a person: what it is and how large."""
        encoder, known = self.config.encoder, self.known
        stages = " + ".join(str(depth + 1) for depth in encoder.stages)
        lines = [
            f"{self.family}, {self.layout} keys",
            f"{encoder.blocks} blocks ({stages}), width {encoder.width}, window "
            f"{encoder.window}, {self.parameters / 1e6:.1f} M parameters, {self.dtype}",
            f"gives masks, from a longest side of {encoder.side} pixels",
            *([f"known file: {known.name}, {known.licence}"] if known else []),
            *(f"warning: {text}" for text in self.warnings),
        ]
        return "\n".join(lines)
