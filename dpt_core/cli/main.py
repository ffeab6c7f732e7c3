"""The entry point: all commands under one name, and an exit status for every outcome."""

import argparse
from collections.abc import Sequence

from .. import __version__
from ..errors import CheckpointError
from . import convert, depth, inspect, stages
from .files.errors import FileError
from .options import Parser
from .reporting import CommandError, Status, write_error

COMMANDS = (depth, inspect, convert, stages)  # each has ``add(commands)``; in the order of --help

DESCRIPTION = """\
Depth from any DPT-style checkpoint: the family and every size are read off the weights.

example:
  dpt-depth depth photos --checkpoint depth_anything_v2_vits.safetensors --output depth"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        argv: the arguments; None for those of the process.

    Raises:
        SystemExit: the arguments are wrong (status 2), or ask only for help or the version.
    """
    arguments = make_parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except (CheckpointError, FileError, CommandError) as error:
        write_error(f"error: {error}")
        return Status.FAILED
    except KeyboardInterrupt:
        write_error("interrupted; every file written so far is complete")
        return Status.INTERRUPTED


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; parsed arguments have the command's function as ``run``."""
    parser = Parser(prog="dpt-depth", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser
