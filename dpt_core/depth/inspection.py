"""What a checkpoint is, known without building the model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checkpoint.known import KnownFile, find_known
from .config import DPTConfig, EncoderConfig, SwinConfig
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

    @property
    def known(self) -> KnownFile | None:
        """The published file that it is, byte for byte, with its licence, if it is a known one."""
        return find_known(self.path)

    def summary(self) -> str:
        """A few lines for a person: what it is, how large, and why it was taken for that."""
        rule, known = self.config.image, self.known
        shape = "a square of" if rule.fit == "square" else "sides around"
        lines = [
            f"{self.family}, {self.layout} keys",
            f"{describe_encoder(self.config.encoder)}, {self.parameters / 1e6:.1f} M parameters, "
            f"{self.dtype}",
            f"gives {describe_unit(self.config)}, from {shape} {rule.side} pixels",
            *([f"known file: {known.name}, {known.licence}"] if known else []),
            *(f"{hint.name}: {_show(hint.value)} ({hint.evidence})" for hint in self.hints),
            *(f"warning: {text}" for text in self.warnings),
        ]
        return "\n".join(lines)


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


def _show(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
