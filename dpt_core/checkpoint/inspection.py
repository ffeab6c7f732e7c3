"""What a checkpoint is, known without building its model: what all kinds of models have of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from .known import KnownFile, find_known

ConfigT = TypeVar("ConfigT")


@dataclass(frozen=True)
class FileInspection(Generic[ConfigT]):
    """What is built from a file.

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
    config: ConfigT
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
        """A few lines for a person: what it is, how large, and why it was taken for that."""
        known = self.known
        lines = [
            f"{self.family}, {self.layout} keys",
            f"{self.describe_encoder()}, {self.parameters / 1e6:.1f} M parameters, {self.dtype}",
            f"gives {self.describe_result()}",
            *([f"known file: {known.name}, {known.licence}"] if known else []),
            *(f"{hint.name}: {_show(hint.value)} ({hint.evidence})" for hint in self.hints),
            *(f"warning: {text}" for text in self.warnings),
        ]
        return "\n".join(lines)

    def describe_encoder(self) -> str:
        """The encoder's size in a few words."""
        raise NotImplementedError

    def describe_result(self) -> str:
        """What the model makes, and of which size of image."""
        raise NotImplementedError


def _show(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
