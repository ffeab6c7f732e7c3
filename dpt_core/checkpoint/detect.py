"""Detect a file's key layout by its signature, or say why none matches."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import CheckpointError
from .family import Family
from .read import StateFile
from .rules import source_pattern
from .unsupported import find_unsupported


def find_model(state: StateFile, families: Iterable[Family]) -> StateFile:
    """Find the one model in a file that also holds an optimiser, a loss or a wrapper.

    A file with a complete signature that has no prefix, or with no signature at all, is returned
    unchanged.

    Raises:
        CheckpointError: the file holds several models of these families.
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
            f"{' and '.join(prefixes)}. Save the one you want as a file of its own."
        )
    (prefix,) = prefixes
    inside = {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}
    rest = [name for name in tensors if not name.startswith(prefix)]
    warnings = ()
    if rest:
        found = f"{len(rest):,} tensors outside of {prefix}" if rest[1:] else rest[0]
        warnings = (f"The file holds more than the model; this was left out: {found}.",)
    return replace(state, tensors=inside, prefix=state.prefix + prefix, warnings=warnings)


def _signature_prefixes(tensors: Mapping[str, Any], signature: Sequence[str]) -> list[str]:
    """The prefixes under which all keys of a signature are found."""
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
    """The one family whose complete signature is among the keys.

    Args:
        tensors: the file's tensors by key.
        families: the families to choose from.
        file: name of the file, for messages.
        kind: what all the families are, for messages.

    Raises:
        CheckpointError: no family matches, or several do. The message names the model if it is
            a well-known one, or else the most similar family and the first key that is missing.
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
        f"{some}. A checkpoint of {supported} was expected."
    )


def _count_matching(keys: Iterable[str], family: Family) -> int:
    """How many of the keys have a rule in the family's table."""
    matches = source_pattern(family.rules).fullmatch
    return sum(matches(key) is not None for key in keys)


def _family_names(families: Iterable[Family]) -> str:
    return ", ".join(dict.fromkeys(family.name for family in families))
