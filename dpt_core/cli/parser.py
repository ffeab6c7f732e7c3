"""The command line: depth of many images and videos into files, and what a checkpoint is.

What needs torch is imported by the commands, so that help and wrong options answer at once.
"""

import argparse
import dataclasses
import json
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .. import __version__
from ..demo import DEMO_CHECKPOINT
from ..errors import CheckpointError
from .files import (
    SUFFIXES,
    VIDEO_SUFFIXES,
    FileError,
    Job,
    Skip,
    SourceError,
    plan,
    write_atomically,
)

if TYPE_CHECKING:
    from tqdm import tqdm

    from ..checkpoint.inspection import Inspection
    from ..estimate.model import DepthModel

# The last part of a result's name, by its format.
FORMATS = {"png16": ".png", "png8": ".png", "npy": ".npy"}
COLORMAPS = ("grey", "turbo", "inferno", "viridis", "spectral")  # of render.py, which needs torch
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")

OK, SKIPPED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130  # exit statuses

DESCRIPTION = """\
Depth from any DPT-style checkpoint: the family and every size are read off the weights.

example:
  dpt-depth depth photos --checkpoint depth_anything_v2_vits.safetensors --output depth"""

DEPTH_DESCRIPTION = """\
Estimate the depth of images, each into a file of its own, and of videos, each into a folder
of numbered files, one a frame: clip.mp4 becomes clip/000001.png and so on. Videos need PyAV
(pip install av).

Folders are searched with their sub-folders, which the output keeps; hidden files and the
output folder itself are left out. Of an image the first picture is taken, turned upright as
its EXIF data say, without alpha. One that cannot be read is skipped with a line that says
why. A result that is already there stays as it is, whatever options made it, so that a
run that was broken off goes on where it stopped; --overwrite makes it anew. Images that
differ in their extensions alone keep them: photo.jpg and photo.webp become photo.jpg.png and
photo.webp.png. Where names still clash, nothing is done at all.

formats:
  png16  16-bit grey. Near is white, from each image's minimum to its maximum; but metres are
         stored as millimetres, cut off at 65535. The file's text holds kind, min, max, scale
         and offset; raw = offset + scale x pixel.
  png8   8-bit picture, near is white, from each image's minimum to its maximum: grey as
         depth ControlNets expect it, or coloured with --colormap
  npy    raw float32 depth, as the model gives it

--steady keeps the brightness of videos from flickering: their frames are made to agree, and the
range follows slowly, with cuts found. Since it needs later frames too, all of a video are
estimated, and kept on the output's disk, before the first is written; when broken off before
that, the video begins anew."""

DEPTH_EXAMPLES = """\
examples:
  dpt-depth depth photo.jpg
  dpt-depth depth photo.jpg --checkpoint depth_anything_v2_vits.pth --output depth
  dpt-depth depth shots --checkpoint model.safetensors --output depth --colormap turbo
  dpt-depth depth clip.mp4 --checkpoint model.safetensors --output depth --steady

exit status: 0, 1 when something was skipped, 2 when nothing can be done, 130 when interrupted"""

DEMO_NOTE = """\
Using the small demo checkpoint of this package, which is for a first look; for real work name \
one with --checkpoint.
"""

INSPECT_DESCRIPTION = """\
Show what a checkpoint is without loading it, and why it is taken for that."""


class CommandError(Exception):
    """What was asked for cannot be done; the message is one sentence for the user."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        argv: the arguments; None for those of the process.

    Raises:
        SystemExit: the arguments are wrong (status 2), or ask for help or the version alone.
    """
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except (CheckpointError, FileError, CommandError) as error:
        sys.stderr.write(f"error: {error}\n")
        return UNUSABLE
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; every file that was written is complete\n")
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(UNUSABLE, f"error: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    style: Any = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = _Parser(prog="dpt-depth", description=DESCRIPTION, **style)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    depth = commands.add_parser(
        "depth",
        help="estimate the depth of images and videos",
        description=DEPTH_DESCRIPTION,
        epilog=DEPTH_EXAMPLES,
        **style,
    )
    depth.set_defaults(run=run_depth)
    depth.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        metavar="IMAGE-VIDEO-OR-FOLDER",
        help=f"folders are searched for {' '.join(SUFFIXES + VIDEO_SUFFIXES)}",
    )
    depth.add_argument(
        "--checkpoint",
        default=DEMO_CHECKPOINT,
        type=Path,
        metavar="FILE",
        help="the depth model (default: the small demo of this package)",
    )
    depth.add_argument(
        "--output",
        default=Path("depth"),
        type=Path,
        metavar="DIR",
        help="where the results go (default: depth)",
    )
    depth.add_argument(
        "--resolution",
        type=_pixels,
        metavar="N",
        help="side in pixels at which the model works (default: the model's own)",
    )
    depth.add_argument(
        "--fov",
        type=_degrees,
        metavar="DEGREES",
        help="horizontal field of view, with which Depth Anything 3 metric gives metres",
    )
    depth.add_argument("--format", choices=FORMATS, help="of the results (default: png16)")
    depth.add_argument("--colormap", choices=COLORMAPS, help="RGB pictures; implies png8")
    depth.add_argument("--steady", action="store_true", help="videos without flicker; implies png8")
    depth.add_argument(
        "--device", choices=DEVICES, default="auto", help="where to compute (default: the fastest)"
    )
    depth.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="what to compute in (default: float32, or the file's own on CUDA)",
    )
    _add_hints(depth)
    depth.add_argument(
        "--overwrite", action="store_true", help="make results anew that are already there"
    )

    inspect = commands.add_parser(
        "inspect", help="show what a checkpoint is", description=INSPECT_DESCRIPTION, **style
    )
    inspect.set_defaults(run=run_inspect)
    inspect.add_argument("file", type=Path, metavar="FILE")
    inspect.add_argument("--json", action="store_true", help="the same, to be read by programs")
    _add_hints(inspect)
    return parser


def _add_hints(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--variant",
        choices=("v1", "v2"),
        help="of Depth Anything (default: by what is known of the file)",
    )
    parser.add_argument(
        "--max-depth",
        type=float,
        metavar="M",
        help="metres at the far end of a metric model (default: by what is known of the file)",
    )
    parser.add_argument(
        "--pretrained-window",
        type=int,
        nargs="+",
        metavar="W",
        help="of Swin V2, one number or one a stage (default: by what is known of the file)",
    )


def _hints(arguments: argparse.Namespace) -> dict[str, Any]:
    windows = arguments.pretrained_window
    return {
        "variant": arguments.variant,
        "max_depth": arguments.max_depth,
        "pretrained_window": windows[0] if windows and len(windows) == 1 else windows,
    }


def _pixels(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of pixels above 0")
    return int(text)


def _degrees(text: str) -> float:
    try:
        degrees = float(text)
    except ValueError:
        degrees = 0.0
    if not 0 < degrees < 180:
        raise argparse.ArgumentTypeError(f"{text!r} is not an angle between 0 and 180 degrees")
    return degrees


def run_depth(arguments: argparse.Namespace) -> int:
    """``dpt-depth depth``: an exit status."""
    name, output = _format(arguments), arguments.output
    jobs, skips = plan(arguments.inputs, output, FORMATS[name])
    todo = [job for job in jobs if arguments.overwrite or not _is_done(job)]
    for skip in skips:
        _report(skip)
    written, there, seconds = 0, len(jobs) - len(todo), 0.0
    if todo:
        from .batch import Estimator, Form, results

        form = Form(name, FORMATS[name], arguments.colormap, arguments.steady)

        if arguments.checkpoint == DEMO_CHECKPOINT:
            sys.stderr.write(DEMO_NOTE)

        @cache
        def model() -> "DepthModel":
            loaded = _load(arguments)
            _make_folder(output)
            return loaded

        estimate = Estimator(model, arguments.resolution, arguments.fov)
        start = time.perf_counter()
        with _progress(todo) as bar:
            for job in todo:
                try:
                    for target, content in results(job, form, estimate, arguments.overwrite):
                        if content is None:
                            there += 1
                        else:
                            # An error here ends the run: the disk is full, or the folder is
                            # protected.
                            write_atomically(target, content)
                            written += 1
                        bar.update()
                except SourceError as error:
                    skips.append(Skip(job.source, str(error)))
                    _report(skips[-1])
        seconds = time.perf_counter() - start
    pace = f" ({seconds / written:.2f} s per image)" if written else ""
    hint = " (--overwrite makes them anew)" if there else ""
    _say(f"{written} written, {len(skips)} skipped, {there} already there{hint}: {output}{pace}")
    return SKIPPED if skips else OK


def _is_done(job: Job) -> bool:
    # How many frames a video has is known when it has been read.
    return not job.is_video and job.target.exists()


def run_inspect(arguments: argparse.Namespace) -> int:
    """``dpt-depth inspect``: an exit status."""
    from ..loading import inspect

    inspection = inspect(arguments.file, **_hints(arguments))
    if arguments.json:
        published = inspection.published and dataclasses.asdict(inspection.published)
        content = {**dataclasses.asdict(inspection), "published": published}
        _say(json.dumps(content, indent=2, default=str))
    else:
        rows = list(_rows(inspection))
        width = max(len(label) for label, _ in rows)
        _say("\n".join(f"{label:{width}}  {text}" for label, text in rows))
    return OK


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"--output {path} cannot be used as a folder ({error.strerror or error})."
        ) from error


def _format(arguments: argparse.Namespace) -> str:
    makes_png8 = {"--colormap": arguments.colormap is not None, "--steady": arguments.steady}
    option = next((name for name, is_given in makes_png8.items() if is_given), None)
    if option is None:
        return arguments.format or "png16"
    if arguments.format not in (None, "png8"):
        raise CommandError(
            f"{option} makes png8 pictures and --format asks for {arguments.format}; leave "
            "one of the two out."
        )
    return "png8"


def _load(arguments: argparse.Namespace) -> "DepthModel":
    import torch

    from ..loading import inspect, load

    file = arguments.checkpoint
    hints = _hints(arguments)
    device, precision = _device(arguments.device), arguments.precision
    if precision == "auto":
        # Half precision is a gain on CUDA alone, and nothing is lost where the file has it.
        own = inspect(file, **hints).dtype if device == "cuda" else None
        precision = own if own in PRECISIONS else "float32"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are in the inspection too
        model = load(file, **hints, dtype=getattr(torch, precision), device=device)
    for text in model.inspection.warnings:
        sys.stderr.write(f"warning: {text}\n")
    return model


def _device(name: str) -> str:
    import torch

    usable = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return next(device for device, is_usable in usable.items() if is_usable)
    if not usable[name]:
        raise CommandError(f"--device {name} cannot be used with this computer and its PyTorch.")
    return name


def _progress(jobs: Sequence[Job]) -> "tqdm[NoReturn]":
    """A bar on stderr where somebody watches and there is something to see."""
    from tqdm import tqdm

    is_quiet = not sys.stderr.isatty() or (len(jobs) < 2 and not jobs[0].is_video)
    counts = [0] if is_quiet else [_pictures_in(job) for job in jobs]
    total = None if 0 in counts else sum(counts)
    return tqdm(total=total, unit="image", file=sys.stderr, disable=is_quiet)


def _pictures_in(job: Job) -> int:
    """Results to expect, for the bar alone: 0 where a video does not say or cannot be read."""
    from .videos import count_frames

    try:
        return count_frames(job.source) if job.is_video else 1
    except SourceError:
        return 0


def _report(skip: Skip) -> None:
    from tqdm import tqdm

    # Through the bar, which would stand in the middle of the line otherwise.
    tqdm.write(f"skipped {skip.path}: {skip.reason}", file=sys.stderr)


def _rows(inspection: "Inspection | Inspection") -> Iterator[tuple[str, str]]:
    """Labels and texts of the table that `inspect` shows."""
    from ..depth.config import DPTConfig

    config = inspection.config
    yield "file", str(inspection.path)
    yield "size", f"{inspection.bytes / 1e6:,.1f} MB, {inspection.dtype}"
    yield "family", inspection.family
    yield "layout", inspection.layout
    if inspection.published is not None:
        yield "published file", f"{inspection.published.name}, {inspection.published.licence}"
    yield "parameters", f"{inspection.parameters:,}"
    if isinstance(config, DPTConfig):
        yield "depth", config.head.describe()
    for hint in inspection.hints:
        yield hint.name.replace("_", " "), f"{_show(hint.value)} ({hint.evidence})"
    known = {"family", *(hint.name for hint in inspection.hints)}
    for name, value in _flat(dataclasses.asdict(config)):
        if name not in known:
            yield name.replace("_", " "), _show(value)
    for text in inspection.warnings:
        yield "warning", text


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested tables and lists of tables, by their joined names."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name} ")
        elif isinstance(value, tuple) and value and isinstance(value[0], dict):
            for column in value[0]:
                yield f"{prefix}{name} {column}", [row[column] for row in value]
        else:
            yield f"{prefix}{name}", value


def _show(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return " ".join(_show(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)


def _say(text: str) -> None:
    """Write a result to stdout; what its encoding lacks (in names of files) is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
