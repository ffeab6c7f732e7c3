"""Settings that the weights do not determine: the user's choice, or a value with its evidence."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ..errors import CheckpointError

T = TypeVar("T")

CHOSEN = "chosen by the user"


@dataclass(frozen=True)
class Hint(Generic[T]):
    """The value of a setting that the weights do not determine.

    Attributes:
        name: the setting, such as ``"variant"`` or ``"max_depth"``.
        value: its value.
        evidence: where the value comes from, in words for the user.
        is_default: there was no evidence, so the usual value is assumed.
    """

    name: str
    value: T
    evidence: str
    is_default: bool = False


def hint_notes(hints: Iterable[Hint[Any]]) -> dict[str, str]:
    """The hints that rest on evidence, as metadata for a file."""
    return {
        hint.name: hint.value if isinstance(hint.value, str) else json.dumps(hint.value)
        for hint in hints
        if not hint.is_default
    }


@dataclass(frozen=True)
class Overrides:
    """Settings that the user chooses instead of the evidence; None: not chosen.

    This is their only definition: `load` and `inspect` take them as keyword arguments, and the
    command line makes an option of each from its metadata.

    Attributes:
        variant: ``"v1"`` or ``"v2"`` of Depth Anything.
        max_depth: maximum depth in metres, which makes a Depth Anything model metric.
        pretrained_window: window that Swin V2 was pretrained with, in tokens: one number, or one
            for each of the four stages.
    """

    variant: str | None = field(
        default=None,
        metadata={"help": "version of a Depth Anything model", "choices": ("v1", "v2")},
    )
    max_depth: float | None = field(
        default=None,
        metadata={
            "help": "maximum depth of a metric model in metres",
            "type": float,
            "metavar": "M",
        },
    )
    pretrained_window: int | tuple[int, ...] | list[int] | None = field(
        default=None,
        metadata={
            "help": "window sizes that Swin V2 was pretrained with: one, or one per stage",
            "type": int,
            "nargs": "+",
            "metavar": "W",
        },
    )

    def check(self, accepted: tuple[str, ...], model: str, file: str) -> None:
        """Check that every override that is set applies to a kind of model.

        Args:
            accepted: names of the overrides that this kind of model takes.
            model: the kind, for the message.
            file: name of the file, for the message.

        Raises:
            CheckpointError: an override is set that does not apply.
        """
        for name, value in self.chosen().items():
            if name not in accepted:
                raise CheckpointError(
                    f"{file} is a {model} model, to which {name} does not apply; it was "
                    f"{value!r}. Leave it unset."
                )

    def chosen(self) -> dict[str, Any]:
        """The overrides that are set, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}
