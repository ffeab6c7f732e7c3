"""A description of a checkpoint, made without building its model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from .hints import Hint
from .published import PublishedFile, find_published


class ModelConfig(Protocol):
    """A model's complete definition, with short descriptions for display."""

    def describe_encoder(self) -> str:
        """The encoder's size in a few words."""
        ...

    def describe_output(self) -> str:
        """The model's output and the image size that it works at, in a few words."""
        ...


ConfigT = TypeVar("ConfigT", bound=ModelConfig)


@dataclass(frozen=True)
class Inspection(Generic[ConfigT]):
    """What `load` or `load_sam` builds from a file.

    Attributes:
        path: the file.
        family: the model family's name, with its version and kind.
        layout: whose key names the file has: ``"official"`` or ``"transformers"``.
        config: every hyper-parameter.
        hints: settings that the weights do not determine, with their evidence.
        parameters: number of parameters in the network; unused tensors in the file do not count.
        dtype: the number format of most of the weights: ``"float32"``, ``"float16"``, …
        bytes: size of the file.
        warnings: sentences about anything odd in the file; empty for a sound one.
    """

    path: Path
    family: str
    layout: str
    config: ConfigT
    hints: tuple[Hint[Any], ...]
    parameters: int
    dtype: str
    bytes: int
    warnings: tuple[str, ...] = ()

    @property
    def published(self) -> PublishedFile | None:
        """The published file with exactly these bytes, with its licence, or None."""
        return find_published(self.path)

    def summary(self) -> str:
        """A few lines for display: family, size, and each hint with its evidence."""
        published = self.published
        lines = [
            f"{self.family}, {self.layout} keys",
            f"{self.config.describe_encoder()}, {self.parameters / 1e6:.1f} M parameters, "
            f"{self.dtype}",
            f"gives {self.config.describe_output()}",
            *([f"published file: {published.name}, {published.licence}"] if published else []),
            *(f"{hint.name}: {_format(hint.value)} ({hint.evidence})" for hint in self.hints),
            *(f"warning: {text}" for text in self.warnings),
        ]
        return "\n".join(lines)


def _format(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
