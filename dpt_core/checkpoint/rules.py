"""Renaming tables: plain text with one whole key per line, so that any key can be searched for.

::

    pretrained.norm.*         -> imgencoder.norm.*
    pretrained.pos_embed      -> posenc.cls + posenc.patches  (split_positions)
    pretrained.model.head.*   -> unused
    pretrained.mask_token     <- imgencoder.cls_token  (zero_token)

``*`` stands for ``weight`` and ``bias``, and a field such as ``{index}`` for its value in each row
of the block table. Several keys are joined by ``+``, which may begin a line. An operation on the
tensors is named in parentheses; it has an inverse, so that the table works in both directions
(`convert` and `revert`). A key with ``<-`` is not used by the network and is only written by
`revert`, for loaders that require it. Every key of a file must match a rule, and the keys of every
rule must exist, except for unused ones.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from ..errors import CheckpointError
from .shapes import format_dtype, format_shape

Change = Callable[..., "Tensor | tuple[Tensor, ...]"]
Row = Mapping[str, object]  # the fields of one block: {"index": 7, "stage": 2, "block": 1}

MAX_BLOCKS = 1000  # twenty times the deepest known encoder: no model has more

_LINE = re.compile(r"(?P<sources>\S.*?) (?P<arrow>->|<-) (?P<targets>.+?)( \((?P<name>\w+)\))?")
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Operation:
    """A change to a rule's tensors, and its inverse.

    Attributes:
        forward: source tensors → target tensors.
        inverse: target tensors → source tensors.
    """

    forward: Change
    inverse: Change


IDENTITY = Operation(lambda tensor: tensor, lambda tensor: tensor)


@dataclass(frozen=True)
class Rule:
    """A rule from one or more keys to one or more names.

    Attributes:
        sources: keys in the file.
        targets: converted names; for an unused rule, those that its inverse reads.
        operation: by default the tensor stays the same.
        unused: the network does not use the keys, which may be missing.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...] = ()
    operation: Operation = IDENTITY
    unused: bool = False

    def fill(self, fields: Mapping[str, object]) -> "Rule":
        """The same rule with values for the fields in its names."""
        sources, targets = (
            tuple(_FIELD.sub(lambda match: str(fields[match[1]]), name) for name in names)
            for names in (self.sources, self.targets)
        )
        return replace(self, sources=sources, targets=targets)


def parse_rules(table: str, operations: Mapping[str, Operation]) -> tuple[Rule, ...]:
    """Parse a table; `operations` has those that it names.

    Raises:
        ValueError: a line is not a rule.
        KeyError: there is no operation of that name.
    """
    rules = []
    for line in re.sub(r"\s*\n\s*\+", " +", table).splitlines():
        text = " ".join(line.partition("#")[0].split())
        if not text:
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise ValueError(f"not a rule: {text}")
        unused = match["arrow"] == "<-" or match["targets"] == "unused"
        operation = operations[match["name"]] if match["name"] else IDENTITY
        for end in ("weight", "bias") if "*" in text else ("",):
            sources, targets = (
                tuple(name.replace("*", end) for name in match[side].split(" + "))
                for side in ("sources", "targets")
            )
            targets = () if targets == ("unused",) else targets
            rules.append(Rule(sources, targets, operation, unused))
    return tuple(rules)


def convert(
    tensors: dict[str, Tensor], rules: Iterable[Rule], rows: Sequence[Row], file: str
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Rename (and split, merge, reshape) every tensor; empties `tensors`.

    Args:
        tensors: the file's tensors by key.
        rules: the layout's table.
        rows: values for the fields in the rules, one row per block.
        file: name of the file, for messages.

    Returns:
        The converted tensors, and the original key of each converted name.

    Raises:
        CheckpointError: a key matches no rule, a rule's key is missing, or weights are not
            floating-point numbers or have a shape that an operation cannot take; the message
            names the key.
    """
    rules = expand(rules, rows)
    ruled = {key for rule in rules for key in rule.sources}
    unknown = [key for key in tensors if key not in ruled]
    if unknown:
        raise CheckpointError(
            f"{file} holds keys that this kind of model does not have: {_list_keys(unknown)}. "
            "It may be another model with some of the same parts; use the original checkpoint."
        )
    used = [rule for rule in rules if not rule.unused]
    missing = [key for rule in used for key in rule.sources if key not in tensors]
    if missing:
        raise CheckpointError(
            f"{file} lacks keys that this kind of model needs: {_list_keys(missing)}. "
            "The file is incomplete; download or export it again."
        )
    converted: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    for rule in used:
        parts = {key: tensors.pop(key) for key in rule.sources}
        for key, part in parts.items():
            if not part.is_floating_point():
                raise _not_floating(file, key, part)
        try:
            result = rule.operation.forward(*parts.values())
        except (RuntimeError, IndexError, ValueError) as error:
            shapes = ", ".join(f"{key} ({format_shape(p.shape)})" for key, p in parts.items())
            raise CheckpointError(
                f"{file} has an impossible shape in {shapes}. The file is damaged or is "
                "another model; use the original checkpoint."
            ) from error
        for target, value in zip(rule.targets, _as_tuple(result), strict=True):
            converted[target] = value
            origin[target] = " + ".join(rule.sources)
    tensors.clear()
    return converted, origin


def revert(
    tensors: Mapping[str, Tensor], rules: Iterable[Rule], rows: Sequence[Row]
) -> dict[str, Tensor]:
    """Rename converted tensors back to the layout of `rules`, with its inverse operations.

    Raises:
        KeyError: a rule's tensor is missing.
    """
    named: dict[str, Tensor] = {}
    for rule in expand(rules, rows):
        if rule.targets:
            result = rule.operation.inverse(*(tensors[target] for target in rule.targets))
            named |= dict(zip(rule.sources, _as_tuple(result), strict=True))
    return named


def expand(rules: Iterable[Rule], rows: Sequence[Row]) -> list[Rule]:
    """The rules with their fields filled in, once for every distinct set of values in the rows."""
    expanded = []
    for rule in rules:
        fields = set(_FIELD.findall(rule.sources[0]))
        matching = [row for row in rows if fields <= row.keys()] if fields else [{}]
        expanded += [rule.fill(row) for row in matching]
    return list(dict.fromkeys(expanded))


def source_pattern(rules: Iterable[Rule]) -> re.Pattern[str]:
    """A pattern that matches every key with a rule, whatever the number of blocks."""
    names = {name for rule in rules for name in rule.sources}
    return re.compile("|".join(r"\w+".join(map(re.escape, _FIELD.split(n)[::2])) for n in names))


def count_blocks(
    keys: Iterable[str], rules: Iterable[Rule], field: str, file: str, **others: int
) -> int:
    """Count the blocks of a file, which are numbered 0, 1, 2, … where the rules have a field.

    Args:
        keys: keys of the file.
        rules: its table; the first source with the field shows where the number is.
        field: the field, for example ``"index"``.
        file: name of the file, for messages.
        others: values of the fields before it.

    Raises:
        CheckpointError: a number is skipped, or there are absurdly many blocks.
    """
    mark = f"{{{field}}}"
    source = next(name for rule in rules for name in rule.sources if mark in name)
    pattern = re.escape(source.partition(mark)[0].format(**others)) + r"(\d+)\."
    # Compared as text: a number in a hostile key may have too many digits to convert.
    found = {match[1] for key in keys if (match := re.match(pattern, key))}
    if len(found) > MAX_BLOCKS:
        raise CheckpointError(
            f"{file} has {len(found):,} numbered blocks, but no encoder has more than "
            f"{MAX_BLOCKS:,}. It is damaged or another model; use the original checkpoint."
        )
    missing = next((i for i in range(len(found)) if str(i) not in found), None)
    if missing is not None:
        raise CheckpointError(
            f"{file} has {len(found)} numbered blocks but none numbered {missing}: it is "
            "incomplete or damaged. Download or export it again."
        )
    return len(found)


def _as_tuple(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def _not_floating(file: str, key: str, tensor: Tensor) -> CheckpointError:
    found = format_dtype(tensor.dtype)
    kind = "complex numbers" if tensor.is_complex() else "whole numbers (a quantised model)"
    return CheckpointError(
        f"{file} stores {key} as {found}, {kind}, where floating-point weights were expected. "
        "Use a float32, float16 or bfloat16 version of the file."
    )


def _list_keys(keys: list[str]) -> str:
    shown = ", ".join(keys[:3])
    return shown if len(keys) <= 3 else f"{shown} and {len(keys) - 3:,} more"
