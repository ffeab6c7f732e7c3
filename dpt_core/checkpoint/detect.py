"""Which key layout a file has: the one whose signature is complete, or an error that says more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import CheckpointError
from .family import Family
from .read import StateFile
from .rules import source_pattern
from .unsupported import find_unsupported


def find_model(state: StateFile, families: Iterable[Family]) -> StateFile:
    """The one model in a file that also holds an optimiser, a loss or a wrapper.

    A file whose keys have a signature without any prefix, or none at all, is returned as it is.

    Raises:
        CheckpointError: there are several models of these families.
    """
    tensors = state.tensors
    prefixes = sorted(
        {p for family in families for p in _signature_prefixes(tensors, family.signature)}
    )
    if not prefixes or "" in prefixes or find_unsupported(tensors) is not None:
        return state
    if len(prefixes) > 1:
        raise CheckpointError(
            f"{state.path.name} holds {len(prefixes)} models, under "
            f"{' and '.join(prefixes)}. Save the one that you want alone."
        )
    (prefix,) = prefixes
    inside = {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}
    rest = [name for name in tensors if not name.startswith(prefix)]
    warnings = ()
    if rest:
        found = f"{len(rest):,} tensors outside of {prefix}" if rest[1:] else rest[0]
        warnings = (f"The file holds more than the model, which was left out: {found}.",)
    return replace(state, tensors=inside, prefix=state.prefix + prefix, warnings=warnings)


def _signature_prefixes(tensors: Mapping[str, Any], signature: Sequence[str]) -> list[str]:
    """What stands before all keys of a signature."""
    first = signature[0]
    ends = (name.removesuffix(first) for name in tensors if name.endswith(first))
    return [
        prefix
        for prefix in ends
        if (not prefix or prefix.endswith("."))
        and all(prefix + key in tensors for key in signature)
    ]


def detect(
    tensors: Mapping[str, Any], families: Sequence[Family], file: str, kind: str = "depth model"
) -> Family:
    """The one family whose whole signature is among the keys.

    Args:
        tensors: the file's, by key.
        families: those that it may belong to.
        file: its name, for messages.
        kind: what all the families are, for messages.

    Raises:
        CheckpointError: there is none; the message names what the file is if that is known,
            or else the nearest family and the first key that it lacks.
    """
    matches = [family for family in families if family.matches(tensors)]
    other = find_unsupported(tensors, supported={family.name for family in families})
    if len(matches) == 1 and other is None:
        return matches[0]
    supported = _family_names(families)
    if other is not None:
        raise CheckpointError(
            f"{file} is {other}, not a {kind} that this pack loads ({supported}). "
            "Choose one of those."
        )
    if matches:
        layouts = " and ".join(f"{family.name} ({family.layout} keys)" for family in matches)
        raise CheckpointError(
            f"{file} holds the keys of two models at once: {layouts}. Use the original checkpoint."
        )
    shared, nearest = max(
        ((_count_matching(tensors, family), family) for family in families),
        key=lambda pair: pair[0],
    )
    if shared > len(tensors) // 2:
        lacking = next(key for key in nearest.signature if key not in tensors)
        raise CheckpointError(
            f"{file} is most like {nearest.name} ({nearest.layout} keys) but lacks {lacking}. "
            "It is incomplete or another model; use the original checkpoint."
        )
    some = ", ".join(list(tensors)[:3])
    raise CheckpointError(
        f"{file} is not a {kind} that this pack knows: it has {len(tensors):,} tensors such as "
        f"{some}. Expected is a checkpoint of {supported}."
    )


def _count_matching(keys: Iterable[str], family: Family) -> int:
    """How many of the keys the family's table has a rule for."""
    matches = source_pattern(family.rules).fullmatch
    return sum(matches(key) is not None for key in keys)


def _family_names(families: Iterable[Family]) -> str:
    return ", ".join(dict.fromkeys(family.name for family in families))
