"""What commands report: results on stdout, everything else on stderr, and an exit status."""

import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, NoReturn

from .files.errors import InputError
from .files.plan import PlannedInput, Skipped
from .files.videos import count_frames

if TYPE_CHECKING:
    from tqdm import tqdm


class Status(IntEnum):
    """Exit statuses."""

    OK = 0
    SKIPPED = 1  # some inputs gave no result
    FAILED = 2
    INTERRUPTED = 130  # as shells report Ctrl+C


class CommandError(Exception):
    """A command cannot do what its options ask for; the message is one sentence for the user."""


def write_result(text: str) -> None:
    """Write a line to stdout; characters that its encoding lacks are escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def write_error(text: str) -> None:
    """Write a line to stderr: an error, a warning or a note."""
    from tqdm import tqdm

    # tqdm's own function moves a progress bar out of the way.
    tqdm.write(text, file=sys.stderr)


def report_skipped(skipped: Skipped) -> None:
    """Report on stderr which input gave no result, and why."""
    write_error(f"skipped {skipped.path}: {skipped.reason}")


def show_progress(planned: Sequence[PlannedInput]) -> "tqdm[NoReturn]":
    """A progress bar that counts images; only shown on a terminal, and not for a single image."""
    from tqdm import tqdm

    is_quiet = not sys.stderr.isatty() or (len(planned) < 2 and not planned[0].is_video)
    counts = [0] if is_quiet else [_count_images(item) for item in planned]
    total = None if 0 in counts else sum(counts)
    return tqdm(total=total, unit="image", file=sys.stderr, disable=is_quiet)


def _count_images(item: PlannedInput) -> int:
    """1, or a video's frames; 0 where that is not known or the video cannot be read."""
    try:
        return count_frames(item.source) if item.is_video else 1
    except InputError:
        return 0
