"""``python -m tools.train_demo.contact_sheet FILE PHOTO…``: draw photographs above their depth."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

import dpt_core
from dpt_core.render import colorize, control_image

from .photos import read_photo

HEIGHT, GAP = 200, 6  # pixels


def draw(model: dpt_core.DepthModel, photos: Sequence[Path], columns: int) -> Tensor:
    """A contact sheet H×W×3 in [0, 1]; every photograph is cropped to a square."""
    tiles = []
    for path in photos:
        image = read_photo(path)
        picture = colorize(control_image(model.infer(image)), "inferno")
        both = torch.cat([image, picture.permute(0, 3, 1, 2)])
        side = min(image.shape[-2:])
        top, left = ((length - side) // 2 for length in image.shape[-2:])
        both = both[..., top : top + side, left : left + side]
        both = F.interpolate(both, (HEIGHT, HEIGHT), mode="bilinear", antialias=True)
        tiles.append(F.pad(torch.cat(list(both), dim=-2), (0, GAP, 0, GAP), value=1.0))
    rows = [torch.cat(tiles[i : i + columns], dim=-1) for i in range(0, len(tiles), columns)]
    return torch.cat(rows, dim=-2).permute(1, 2, 0)[:-GAP, :-GAP]


def main() -> None:
    """Parse the command line and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="the depth model")
    parser.add_argument("photos", type=Path, nargs="+", help="the photographs")
    parser.add_argument("--columns", type=int, default=6, help="photographs per row (default: 6)")
    parser.add_argument("--output", type=Path, required=True, help="the image file to write")
    options = parser.parse_args()
    model = dpt_core.load(options.checkpoint, dtype=torch.float32)
    sheet = (draw(model, options.photos, options.columns) * 255).round().byte()
    Image.fromarray(sheet.numpy()).save(options.output, quality=88)


if __name__ == "__main__":
    main()
