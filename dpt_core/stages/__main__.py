"""A walk through a depth model on one photograph: python -m dpt_core.stages --help."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..cli.files import FileError, read_image
from ..errors import CheckpointError
from ..loading import load
from .blocks import Point, list_blocks
from .contact_sheet import draw_sheet
from .features import View, extract_features
from .pictures import MapStyle, visualize
from .tiles import depth_tile, map_tiles, photo_tile

DESCRIPTION = """\
Make a sheet of pictures for each step of a depth model on its way from a photograph to
depth: patches, positions, attention, stages, what is similar to a point, reassembled maps,
fused maps, head.

example:
  python -m dpt_core.stages photo.jpg --checkpoint depth_anything_v2_vits.pth --output walk"""

QUALITY = 75  # of the JPEG files


def walk(blocks: int, point: Point) -> list[tuple[str, View, MapStyle]]:
    """The steps: a title, what to look at, and how."""
    middle = blocks // 2
    colors = MapStyle("pca")
    return [
        ("1 patches", View("patches"), colors),
        ("2 positions", View("positions", point=point), colors),
        ("3 attention", View("attention", middle, point=point), MapStyle(colormap="inferno")),
        ("4 stages", View("stages"), colors),
        ("5 similarity", View("stages"), MapStyle("similarity", point=point, colormap="inferno")),
        ("6 reassembled", View("reassembled"), colors),
        ("7 fused", View("fused"), colors),
        ("8 head", View("head"), colors),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; → its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m dpt_core.stages",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photo", type=Path, help="the photograph")
    parser.add_argument("--checkpoint", type=Path, required=True, help="the model file")
    parser.add_argument("--output", type=Path, required=True, help="folder for the pictures")
    parser.add_argument(
        *("--point", "-p"),
        nargs=2,
        type=float,
        metavar=("X", "Y"),
        default=(0.5, 0.5),
        help="place that attention and similarity start from, 0 to 1 (default: the middle)",
    )
    parser.add_argument("--resolution", type=int, help="side in pixels (default: the model's)")
    parser.add_argument("--tile", type=int, default=360, help="width of a picture (default: 360)")
    arguments = parser.parse_args(argv)
    try:
        image = torch.from_numpy(read_image(arguments.photo)).movedim(-1, 0)
    except FileError as error:
        sys.stderr.write(f"error: {arguments.photo}: {error}\n")
        return 2
    try:
        draw_walk(image, arguments)
    except (CheckpointError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def draw_walk(image: Tensor, arguments: argparse.Namespace) -> None:
    """Write one JPEG for each step.

    Raises:
        CheckpointError, ValueError, OSError: the model, a number or a file cannot be used.
    """
    model = load(arguments.checkpoint)
    arguments.output.mkdir(parents=True, exist_ok=True)
    images = image.unsqueeze(0)
    point = (arguments.point[0], arguments.point[1])
    for title, view, style in walk(len(list_blocks(model.net)), point):
        maps, depth = extract_features(model, images, view, resolution=arguments.resolution)
        (tiles,) = map_tiles(visualize(maps, style), style)
        if len(tiles) == 1:
            tiles.insert(0, photo_tile(image, tiles))
        if view.what == "head":
            tiles.append(depth_tile(depth, "inferno"))
        aspect = image.shape[2] / image.shape[1]
        sheet = draw_sheet(f"{model.inspection.family} · {title}", tiles, aspect, arguments.tile)
        picture = Image.fromarray((sheet * 255).round().byte().numpy())
        picture.save(arguments.output / f"{title.replace(' ', '_')}.jpg", quality=QUALITY)


if __name__ == "__main__":
    sys.exit(main())
