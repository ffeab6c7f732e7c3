"""``inspect``: show what a checkpoint is, or its keys, without loading it."""

import argparse
import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .options import Commands, add_overrides, get_overrides
from .reporting import Status, write_result

if TYPE_CHECKING:
    from ..checkpoint.inspection import Inspection
    from ..conversion import KeyRow

DESCRIPTION = """\
Show what a checkpoint is, and on what evidence, without loading it. With --keys, show the name of
each of its keys in the model instead."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "inspect", help="show what a checkpoint is", description=DESCRIPTION
    )
    parser.set_defaults(run=run)
    parser.add_argument("file", type=Path, metavar="FILE", help="the checkpoint")
    parser.add_argument(
        "--keys",
        action="store_true",
        help="show each key of the file, its converted name and its shape",
    )
    parser.add_argument(
        "--json", action="store_true", help="write JSON; with --keys it includes the keys"
    )
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> Status:
    """Run the command."""
    from ..loading import inspect

    file, overrides = arguments.file, get_overrides(arguments)
    keys = None
    if arguments.keys:
        from ..conversion import list_keys

        keys = list_keys(file, **overrides)
    if arguments.json:
        content = describe(inspect(file, **overrides))
        if keys is not None:
            content["keys"] = [
                {
                    "original": row.original,
                    "converted": row.converted,
                    "shape": row.shape,
                    "dtype": row.dtype,
                }
                for row in keys
            ]
        write_result(json.dumps(content, indent=2, default=str))
    elif keys is not None:
        write_result(align(format_keys(keys)))
    else:
        write_result(align(format_inspection(inspect(file, **overrides))))
    return Status.OK


def describe(inspection: "Inspection[Any]") -> dict[str, Any]:
    """An inspection as a JSON object."""
    published = inspection.published and dataclasses.asdict(inspection.published)
    return {**dataclasses.asdict(inspection), "published": published}


def align(rows: Iterable[Sequence[str]]) -> str:
    """One line per row, with the columns aligned."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def format_keys(keys: "Iterable[KeyRow]") -> Iterator[tuple[str, str, str]]:
    """The table of ``--keys``: original key, converted name, shape."""
    for row in keys:
        yield row.original, row.converted or "(not used)", "×".join(map(str, row.shape)) or "scalar"


def format_inspection(inspection: "Inspection[Any]") -> Iterator[tuple[str, str]]:
    """The table of an inspection: label, value."""
    from ..depth.config import DPTConfig

    yield "file", str(inspection.path)
    yield "size", f"{inspection.bytes / 1e6:,.1f} MB, {inspection.dtype}"
    yield "family", inspection.family
    yield "layout", inspection.layout
    if inspection.published is not None:
        yield "published file", f"{inspection.published.name}, {inspection.published.licence}"
    yield "parameters", f"{inspection.parameters:,}"
    if isinstance(inspection.config, DPTConfig):
        yield "depth", inspection.config.head.describe()
    for hint in inspection.hints:
        yield hint.name.replace("_", " "), f"{format_value(hint.value)} ({hint.evidence})"
    shown = {"family", *(hint.name for hint in inspection.hints)}
    for name, value in flatten(dataclasses.asdict(inspection.config)):
        if name not in shown:
            yield name.replace("_", " "), format_value(value)
    for text in inspection.warnings:
        yield "warning", text


def flatten(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested dictionaries, and of lists of them, under their joined names."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{name} ")
        elif isinstance(value, tuple) and value and isinstance(value[0], dict):
            for column in value[0]:
                yield f"{prefix}{name} {column}", [row[column] for row in value]
        else:
            yield f"{prefix}{name}", value


def format_value(value: Any) -> str:
    """A value of a configuration in words."""
    if isinstance(value, (tuple, list)):
        return " ".join(map(format_value, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)
