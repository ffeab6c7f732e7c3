"""Declarative renaming: one table per key layout turns its names into the common ones.

A rule's pattern may hold lists in braces, which expand side by side like a shell's
(``norm.{weight,bias}`` stands for two keys), and one-word fields such as ``{index}``,
which are filled from each row of the block table. A pattern with fields therefore stands
for one key per block. Every key of a file must meet a rule and every rule its keys.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..errors import CheckpointError
from .shapes import format_dtype, format_shape

Operation = Callable[..., "Tensor | tuple[Tensor, ...]"]
Row = Mapping[str, object]  # the fields of one block: {"index": 7, "stage": 2, "block": 1}

MOST_BLOCKS = 1000  # twenty times the deepest encoder known: what is beyond is no model

_LIST = re.compile(r"\{([^{}]*,[^{}]*)\}")
_FIELD = re.compile(r"\{(\w+)\}")


def _same(tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True)
class Rule:
    """From one key or several to one or several; no target means that the key is unused.

    `operation` takes the source tensors and gives the target tensors (by default the one
    as it is). An `optional` rule may go without its keys; when some of a rule's several
    sources are there, all must be.
    """

    source: str | tuple[str, ...]
    target: str | tuple[str, ...] | None
    operation: Operation = _same
    optional: bool = False


@dataclass(frozen=True)
class Move:
    """A rule for one set of keys: no list or field is left in its names."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    operation: Operation
    optional: bool


def convert(
    tensors: dict[str, Tensor], rules: Sequence[Rule], rows: Sequence[Row], file: str
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Rename (and split, merge, reshape) every tensor; `tensors` is emptied on the way.

    Returns:
        The converted tensors, and for each converted name the original it came from.

    Raises:
        CheckpointError: a key meets no rule, a rule lacks its key, or weights are not
            floating-point numbers or of a shape that a rule cannot work on; the message
            names the key.
    """
    moves = [move for rule in rules for move in expand(rule, rows)]
    known = {key for move in moves for key in move.sources}
    unknown = [key for key in tensors if key not in known]
    if unknown:
        raise CheckpointError(
            f"{file} holds keys that this kind of model does not have: {_few(unknown)}. "
            "It may be another model built on the same parts; use the original checkpoint."
        )
    moves = [move for move in moves if not _absent(move, tensors)]
    missing = [key for move in moves for key in move.sources if key not in tensors]
    if missing:
        raise CheckpointError(
            f"{file} lacks keys that this kind of model needs: {_few(missing)}. "
            "The file is incomplete; download or export it again."
        )
    converted: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    for move in moves:
        parts = {key: tensors.pop(key) for key in move.sources}
        if not move.targets:
            continue
        for key, part in parts.items():
            if not part.is_floating_point():
                raise _not_floating(file, key, part)
        try:
            result = move.operation(*parts.values())
        except (RuntimeError, IndexError, ValueError) as error:
            shapes = ", ".join(f"{key} ({format_shape(p.shape)})" for key, p in parts.items())
            raise CheckpointError(
                f"{file} has a shape that cannot be right in {shapes}. The file is damaged or "
                "is another model; use the original checkpoint."
            ) from error
        values = result if isinstance(result, tuple) else (result,)
        for target, value in zip(move.targets, values, strict=True):
            converted[target] = value
            origin[target] = " + ".join(move.sources)
    return converted, origin


def revert(
    tensors: Mapping[str, Tensor],
    rules: Sequence[Rule],
    rows: Sequence[Row],
    inverses: Mapping[Operation, Operation],
) -> dict[str, Tensor]:
    """The way back: converted tensors under the names of the layout that `rules` read.

    Args:
        inverses: for every operation of the rules that changes tensors, what undoes it.

    Raises:
        KeyError: a rule's tensor is missing, or its operation has no inverse.
    """
    named: dict[str, Tensor] = {}
    for move in (move for rule in rules for move in expand(rule, rows)):
        if not move.targets:
            continue
        parts = [tensors[target] for target in move.targets]
        if move.operation is not _same:
            result = inverses[move.operation](*parts)
            parts = list(result) if isinstance(result, tuple) else [result]
        named |= dict(zip(move.sources, parts, strict=True))
    return named


def expand(rule: Rule, rows: Sequence[Row]) -> list[Move]:
    """One move for every name in the pattern's lists, and for every row that fills its fields."""
    sources = _tuple(rule.source)
    targets = _tuple(rule.target) if rule.target is not None else ()
    columns = [expand_lists(pattern) for pattern in (*sources, *targets)]
    moves = []
    for names in zip(*columns, strict=True):
        fields = set(_FIELD.findall(names[0]))
        for row in (row for row in rows if fields <= row.keys()) if fields else ({},):
            filled = tuple(name.format(**row) for name in names)
            head, tail = filled[: len(sources)], filled[len(sources) :]
            moves.append(Move(head, tail, rule.operation, rule.optional))
    return moves


def expand_lists(pattern: str) -> list[str]:
    """Every name that a pattern's ``{a,b}`` lists stand for, in order."""
    parts = [part.split(",") if i % 2 else [part] for i, part in enumerate(_LIST.split(pattern))]
    return ["".join(choice) for choice in itertools.product(*parts)]


def source_pattern(rules: Iterable[Rule]) -> re.Pattern[str]:
    """What every key meets that the rules have a place for, whatever the number of blocks."""
    names = {name for rule in rules for part in _tuple(rule.source) for name in expand_lists(part)}
    return re.compile("|".join(r"\w+".join(map(re.escape, _FIELD.split(n)[::2])) for n in names))


def count_blocks(keys: Iterable[str], pattern: str, file: str) -> int:
    """How many blocks there are: `pattern`'s one group is the index, which must run 0, 1, 2…

    Raises:
        CheckpointError: an index in the middle is missing, or there are absurdly many.
    """
    # Compared as text: a number in a key may have more digits than any integer should.
    found = {match[1] for key in keys if (match := re.match(pattern, key))}
    if len(found) > MOST_BLOCKS:
        raise CheckpointError(
            f"{file} has {len(found):,} numbered blocks, and no encoder has more than "
            f"{MOST_BLOCKS:,}. It is damaged or another model; use the original checkpoint."
        )
    missing = next((i for i in range(len(found)) if str(i) not in found), None)
    if missing is not None:
        raise CheckpointError(
            f"{file} has {len(found)} numbered blocks but none numbered {missing}: it is "
            "incomplete or damaged. Download or export it again."
        )
    return len(found)


def _tuple(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _absent(move: Move, tensors: Mapping[str, Tensor]) -> bool:
    return move.optional and not any(key in tensors for key in move.sources)


def _not_floating(file: str, key: str, tensor: Tensor) -> CheckpointError:
    found = format_dtype(tensor.dtype)
    kind = "complex numbers" if tensor.is_complex() else "whole numbers (a quantised model)"
    return CheckpointError(
        f"{file} stores {key} as {found}, {kind}, where floating-point weights were expected. "
        "Use a float32, float16 or bfloat16 version of the file."
    )


def _few(keys: list[str]) -> str:
    shown = ", ".join(keys[:3])
    return shown if len(keys) <= 3 else f"{shown} and {len(keys) - 3:,} more"
