"""``depth``: estimate the depth of images and videos, into files."""

import argparse
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from .files.errors import InputError
from .files.outputs import write_atomically
from .files.plan import SUFFIXES, PlannedInput, Skipped, plan
from .options import Commands, add_model_options, add_resolution, load_model, make_folder
from .reporting import CommandError, Status, report_skipped, show_progress, write_result

if TYPE_CHECKING:
    from ..estimate.model import DepthModel

FORMATS = {"png16": ".png", "png8": ".png", "npy": ".npy"}  # name → suffix
COLORMAPS = ("grey", "turbo", "inferno", "viridis", "spectral")  # of render, which needs torch

DESCRIPTION = """\
Estimate the depth of images and videos. Each image becomes one file; each video becomes a folder
with one numbered file per frame, such as clip/000001.png for clip.mp4. Videos need PyAV (pip
install av).

Folders are searched together with their subfolders, whose structure the output keeps; hidden
files and the output folder itself are left out. Images are turned upright by their EXIF data;
alpha is ignored, and only the first image of a file is used. A file that cannot be read is
skipped with one line that says why. Existing results are kept, whatever options they were made
with, so an interrupted run continues where it stopped; --overwrite replaces them.
Images whose names differ only in the suffix keep it: photo.jpg and photo.webp become
photo.jpg.png and photo.webp.png. If names still clash, the run ends before anything is written.

formats:
  png16  16-bit grey. Near is white, from each image's minimum to its maximum; metres, however,
         are stored as millimetres, clipped at 65535. The file's text entries hold kind, min,
         max, scale and offset; raw = offset + scale x pixel.
  png8   8-bit image. Near is white, from each image's minimum to its maximum: grey, as depth
         ControlNets expect it, or coloured with --colormap
  npy    raw float32 depth, exactly as the model returns it

--steady keeps the brightness of videos from flickering: the frames are aligned with each other,
and the range follows them slowly, except at cuts. This needs later frames too, so all frames of
a video are estimated before the first one is written, and are stored on the output's disk until
then; a video that is interrupted before that starts again from its first frame."""

EPILOG = """\
examples:
  dpt-depth depth photo.jpg
  dpt-depth depth photo.jpg --checkpoint depth_anything_v2_vits.pth --output depth
  dpt-depth depth shots --checkpoint model.safetensors --output depth --colormap turbo
  dpt-depth depth clip.mp4 --checkpoint model.safetensors --output depth --steady

exit status:
  0 success, 1 some inputs were skipped, 2 the run ended with an error, 130 interrupted"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "depth",
        help="estimate the depth of images and videos",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        metavar="IMAGE-VIDEO-OR-FOLDER",
        help=f"folders are searched for {' '.join(SUFFIXES)}",
    )
    parser.add_argument(
        "--output",
        default=Path("depth"),
        type=Path,
        metavar="DIR",
        help="folder for the results (default: depth)",
    )
    add_model_options(parser)
    add_resolution(parser)
    parser.add_argument(
        "--fov",
        type=degrees,
        metavar="DEGREES",
        help="horizontal field of view, which Depth Anything 3 metric needs to give metres",
    )
    parser.add_argument("--format", choices=FORMATS, help="format of the results (default: png16)")
    parser.add_argument("--colormap", choices=COLORMAPS, help="colour the results; implies png8")
    parser.add_argument(
        "--steady", action="store_true", help="render videos without flicker; implies png8"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")


def degrees(text: str) -> float:
    """Parse the angle of ``--fov``."""
    try:
        angle = float(text)
    except ValueError:
        angle = 0.0
    if not 0 < angle < 180:
        raise argparse.ArgumentTypeError(f"{text!r} is not an angle between 0 and 180 degrees")
    return angle


def run(arguments: argparse.Namespace) -> Status:
    """Run the command."""
    name, output = choose_format(arguments), arguments.output
    planned, skipped = plan(arguments.inputs, output, FORMATS[name])
    missing = [item for item in planned if arguments.overwrite or not _has_result(item)]
    for one in skipped:
        report_skipped(one)
    written, existing, seconds = 0, len(planned) - len(missing), 0.0
    if missing:
        from .batch import DepthEstimator, OutputFormat, estimate_results

        form = OutputFormat(name, FORMATS[name], arguments.colormap, arguments.steady)

        @cache
        def get_model() -> "DepthModel":
            model = load_model(arguments)
            make_folder(output)
            return model

        estimate = DepthEstimator(get_model, arguments.resolution, arguments.fov)
        start = time.perf_counter()
        with show_progress(missing) as bar:
            for item in missing:
                try:
                    for target, content in estimate_results(
                        item, form, estimate, arguments.overwrite
                    ):
                        if content is None:
                            existing += 1
                        else:
                            # Not caught: a full or protected disk ends the run.
                            write_atomically(target, content)
                            written += 1
                        bar.update()
                except InputError as error:
                    skipped.append(Skipped(item.source, str(error)))
                    report_skipped(skipped[-1])
        seconds = time.perf_counter() - start
    pace = f" ({seconds / written:.2f} s per image)" if written else ""
    hint = " (--overwrite replaces them)" if existing else ""
    write_result(
        f"{written} written, {len(skipped)} skipped, {existing} already there{hint}: {output}{pace}"
    )
    return Status.SKIPPED if skipped else Status.OK


def choose_format(arguments: argparse.Namespace) -> str:
    """The format that the options ask for or imply.

    Raises:
        CommandError: two options contradict each other.
    """
    implies_png8 = {"--colormap": arguments.colormap is not None, "--steady": arguments.steady}
    option = next((name for name, is_given in implies_png8.items() if is_given), None)
    if option is None:
        return arguments.format or "png16"
    if arguments.format not in (None, "png8"):
        raise CommandError(
            f"{option} makes png8 images, but --format is {arguments.format}; leave out one "
            "of the two."
        )
    return "png8"


def _has_result(item: PlannedInput) -> bool:
    # The number of a video's frames is only known once it has been read.
    return not item.is_video and item.target.exists()
