"""``stages``: draw each step of a depth model on its way from a photograph to depth."""

import argparse
import io
from pathlib import Path

from .files.errors import InputError
from .files.images import read_image
from .files.outputs import write_atomically
from .options import (
    Commands,
    add_model_options,
    add_resolution,
    fraction,
    load_model,
    make_folder,
    positive_int,
)
from .reporting import CommandError, Status, write_result

JPEG_QUALITY = 75

DESCRIPTION = """\
Draw what a depth model computes on its way from a photograph to depth, as one contact sheet per
step: patches, positions, attention, stages, similarity to a point, reassembled maps, fused maps
and head.

example:
  dpt-depth stages photo.jpg --checkpoint depth_anything_v2_vits.pth --output steps"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "stages", help="draw what each part of a model computes", description=DESCRIPTION
    )
    parser.set_defaults(run=run)
    parser.add_argument("photo", type=Path, metavar="PHOTO", help="the photograph")
    parser.add_argument(
        "--output",
        default=Path("stages"),
        type=Path,
        metavar="DIR",
        help="folder for the contact sheets (default: stages)",
    )
    add_model_options(parser)
    add_resolution(parser)
    parser.add_argument(
        *("--point", "-p"),
        nargs=2,
        type=fraction,
        metavar=("X", "Y"),
        default=(0.5, 0.5),
        help="point for attention and similarity, each from 0 to 1 (default: the centre)",
    )
    parser.add_argument(
        "--tile",
        type=positive_int,
        default=360,
        metavar="N",
        help="width of each tile in pixels (default: 360)",
    )


def run(arguments: argparse.Namespace) -> Status:
    """Run the command."""
    import torch
    from PIL import Image

    from ..stages.walkthrough import draw_steps

    output = arguments.output
    try:
        image = torch.from_numpy(read_image(arguments.photo)).movedim(-1, 0)  # 3×H×W
    except InputError as error:
        raise CommandError(f"{arguments.photo} cannot be read: {error}.") from error
    model = load_model(arguments)
    make_folder(output)
    written = 0
    try:
        for title, sheet in draw_steps(
            model,
            image,
            point=tuple(arguments.point),
            resolution=arguments.resolution,
            tile_width=arguments.tile,
        ):
            jpeg = io.BytesIO()
            pixels = (sheet * 255).round().byte().numpy()
            Image.fromarray(pixels).save(jpeg, "JPEG", quality=JPEG_QUALITY)
            write_atomically(output / f"{title.replace(' ', '_')}.jpg", jpeg.getvalue())
            written += 1
    except ValueError as error:
        raise CommandError(str(error)) from error
    write_result(f"{written} contact sheets written: {output}")
    return Status.OK
