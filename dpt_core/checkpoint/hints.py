"""What the weights of a checkpoint cannot say: what the user chose, and answers with evidence."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ..errors import CheckpointError

T = TypeVar("T")

CHOSEN = "chosen by the user"


@dataclass(frozen=True)
class Hint(Generic[T]):
    """An answer that is not in the weights.

    Attributes:
        name: the question, such as ``"variant"`` or ``"max_depth"``.
        value: the answer.
        evidence: where it comes from, in words for the user.
        is_default: nothing spoke for it: it is the usual case.
    """

    name: str
    value: T
    evidence: str
    is_default: bool = False


def hint_notes(hints: Iterable[Hint[Any]]) -> dict[str, str]:
    """The answers that something speaks for, as metadata of a file that keeps them."""
    return {
        hint.name: hint.value if isinstance(hint.value, str) else json.dumps(hint.value)
        for hint in hints
        if not hint.is_default
    }


@dataclass(frozen=True)
class Overrides:
    """What the user chooses instead of the evidence; None leaves a question open.

    The one definition of them: `load` and `inspect` take these as keyword arguments, and the
    command line makes an option of each from its metadata.

    Attributes:
        variant: ``"v1"`` or ``"v2"`` of Depth Anything.
        max_depth: metres at the far end, which makes a Depth Anything model metric.
        pretrained_window: of Swin V2, one number or one for each of the four stages.
    """

    variant: str | None = field(
        default=None,
        metadata={"help": "version of a Depth Anything model", "choices": ("v1", "v2")},
    )
    max_depth: float | None = field(
        default=None,
        metadata={
            "help": "distance in metres at the far end of a metric model",
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
        """Refuse an override that means nothing for a kind of model.

        Args:
            accepted: names of the overrides that this kind of model takes.
            model: the kind, for the message.
            file: name of the file, for the message.

        Raises:
            CheckpointError: another one is chosen.
        """
        for name, value in self.chosen().items():
            if name not in accepted:
                raise CheckpointError(
                    f"{file} is a {model} model, for which {name} means nothing; it was "
                    f"{value!r}. Leave it open."
                )

    def chosen(self) -> dict[str, Any]:
        """Those that are not left open, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}
