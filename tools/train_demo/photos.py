"""Real photographs, and pairs of points that a person labelled as nearer and farther.

The photographs are free samples that come with packages: scikit-image, scikit-learn, matplotlib
and imgaug, and the Debian packages lomiri-wallpapers-16.04, lomiri-wallpapers-20.04,
mate-backgrounds and gnome-backgrounds 3.38.
For each file name, `pairs.json` lists x, y of the nearer point and x, y of the farther one, as
shares of width and height. None of the photographs was trained on.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .score import Predictor

PAIRS = Path(__file__).with_name("pairs.json")
MAX_SIDE = 1024  # pixels; larger photographs are reduced


def read_photo(path: Path) -> Tensor:
    """A photograph as 1×3×H×W in [0, 1], with sides of MAX_SIDE pixels at most."""
    with Image.open(path) as image:
        image.thumbnail((MAX_SIDE, MAX_SIDE))
        values = np.asarray(image.convert("RGB"), np.float32) / 255
    return torch.from_numpy(values).permute(2, 0, 1)[None]


def read_pairs() -> dict[str, list[list[float]]]:
    """The labels by file name."""
    return json.loads(PAIRS.read_text())


def find_photos(folders: Sequence[Path]) -> dict[str, Path]:
    """The labelled photographs in these folders, by file name."""
    wanted = read_pairs().keys()
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.name in wanted:
                found.setdefault(path.name, path)
    return found


def count_pairs(photos: Iterable[str]) -> int:
    """How many pairs are labelled in these photographs."""
    return sum(len(pairs) for name, pairs in read_pairs().items() if name in photos)


def ordered_share(predictor: Predictor, photos: Mapping[str, Path]) -> float:
    """The share of labelled pairs whose nearer point is predicted nearer."""
    pairs, right = read_pairs(), []
    for name, path in photos.items():
        right += ordered(predictor(read_photo(path))[0], pairs[name])
    return float(np.mean(right))


def ordered(inverse: Tensor, pairs: Iterable[Sequence[float]]) -> list[bool]:
    """For each pair, whether its first point is nearer in inverse depth H×W."""
    height, width = inverse.shape
    return [
        bool(
            inverse[int(y1 * height), int(x1 * width)] > inverse[int(y2 * height), int(x2 * width)]
        )
        for x1, y1, x2, y2 in pairs
    ]
