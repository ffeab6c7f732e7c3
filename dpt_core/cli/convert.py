"""``convert``: write a checkpoint in another layout or number format."""

import argparse
from pathlib import Path

from .options import DTYPES, Commands, add_overrides, get_overrides
from .reporting import CommandError, Status, write_error, write_result

LAYOUTS = ("official", "transformers")

DESCRIPTION = """\
Write a checkpoint as a safetensors file with the key names of another layout: official (those of
the authors' code) or transformers. The weights stay the same, except that --dtype rounds them to
another number format.

example:
  dpt-depth convert depth_anything_v2_vits.pth model.safetensors --layout transformers"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "convert", help="write a checkpoint in another layout", description=DESCRIPTION
    )
    parser.set_defaults(run=run)
    parser.add_argument("source", type=Path, metavar="IN", help="the checkpoint to convert")
    parser.add_argument("target", type=Path, metavar="OUT", help="the .safetensors file to write")
    parser.add_argument("--layout", choices=LAYOUTS, required=True, help="key names to write")
    parser.add_argument(
        "--dtype", choices=DTYPES, help="number format of the weights (default: unchanged)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> Status:
    """Run the command."""
    import torch

    from ..conversion import convert_checkpoint

    source, target = arguments.source, arguments.target
    if target.exists() and not arguments.overwrite:
        raise CommandError(f"{target} already exists; choose another name or add --overwrite.")
    inspection = convert_checkpoint(
        source,
        target,
        layout=arguments.layout,
        dtype=getattr(torch, arguments.dtype) if arguments.dtype else None,
        **get_overrides(arguments),
    )
    for text in inspection.warnings:
        write_error(f"warning: {text}")
    write_result(
        f"{target}: {inspection.family}, {inspection.layout} keys, {inspection.dtype}, "
        f"{inspection.bytes / 1e6:,.1f} MB"
    )
    return Status.OK
