"""Which key layout a file has: exactly one signature is all there, or the error says what is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ..errors import CheckpointError
from .foreign import recognise


class Signed(Protocol):
    """Anything with a name, a layout and a signature of keys."""

    @property
    def name(self) -> str: ...
    @property
    def layout(self) -> str: ...
    @property
    def signature(self) -> tuple[str, ...]: ...


S = TypeVar("S", bound=Signed)


def detect(
    tensors: Mapping[str, Any], families: Sequence[S], file: str, kind: str = "depth model"
) -> S:
    """The one family whose whole signature is among the keys; `kind` is what they all are.

    Raises:
        CheckpointError: there is none; the message names what the file is if that is known,
            or else the nearest family and the first key that it lacks.
    """
    matches = [family for family in families if all(key in tensors for key in family.signature)]
    foreign = recognise(tensors, own={family.name for family in families})
    if len(matches) == 1 and foreign is None:
        return matches[0]
    supported = _listing(families)
    if foreign is not None:
        raise CheckpointError(
            f"{file} is {foreign}, not a {kind} that this pack loads ({supported}). "
            "Choose one of those."
        )
    nearest = max(families, key=lambda family: sum(key in tensors for key in family.signature))
    lacking = [key for key in nearest.signature if key not in tensors]
    if len(lacking) < len(nearest.signature):
        raise CheckpointError(
            f"{file} is most like {nearest.name} ({nearest.layout} keys) but lacks "
            f"{lacking[0]}. It is incomplete or another model; use the original checkpoint."
        )
    some = ", ".join(list(tensors)[:3])
    raise CheckpointError(
        f"{file} is not a depth model that this pack knows: it has {len(tensors):,} tensors "
        f"such as {some}. Expected is a checkpoint of {supported}."
    )


def _listing(families: Iterable[Signed]) -> str:
    return ", ".join(dict.fromkeys(family.name for family in families))
