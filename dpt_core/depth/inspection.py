"""What a checkpoint is, known without building the model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .config import DPTConfig
from .hints import Hint


@dataclass(frozen=True)
class Inspection:
    """What `load` builds from a file.

    Attributes:
        path: the file.
        family: the model family's name, with its version and kind.
        layout: whose key names the file has.
        config: the whole configuration.
        hints: answers to what the weights do not say, with their evidence.
        parameters: numbers in the network (what is unused in the file not counted).
        dtype: the number format of most of the file, ``"float32"``, ``"float16"``, …
        bytes: size of the file.
        warnings: sentences about what is odd in the file; empty for a sound one.
    """

    path: Path
    family: str
    layout: str
    config: DPTConfig
    hints: tuple[Hint[Any], ...]
    parameters: int
    dtype: str
    bytes: int
    warnings: tuple[str, ...] = ()

    def summary(self) -> str:
        """A few lines for a person: what it is, how large, and why it was taken for that."""
        encoder = self.config.encoder
        unit = (
            "inverse depth (relative)"
            if self.config.max_depth is None
            else f"metres, up to {self.config.max_depth:g}"
        )
        lines = [
            f"{self.family}, {self.layout} keys",
            f"{sum(encoder.stage_depths)} blocks, width {encoder.width}, "
            f"{self.parameters / 1e6:.1f} M parameters, {self.dtype}",
            f"gives {unit}",
            *(f"{hint.name}: {_show(hint.value)} ({hint.evidence})" for hint in self.hints),
            *(f"warning: {text}" for text in self.warnings),
        ]
        return "\n".join(lines)


def _show(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
