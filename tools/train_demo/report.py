"""``python -m tools.train_demo.report FILE``: print the scores in docs/demo-checkpoint.md."""

import argparse
import sys
from pathlib import Path

import torch

import dpt_core

from . import raycast
from .photos import count_pairs, find_photos, ordered_share
from .scene_types import HELD_OUT, TRAINED
from .score import BASELINES, Predictor, score


def table(predictors: dict[str, Predictor], scenes: int, folders: list[Path]) -> str:
    """A Markdown table of every predictor's scores."""
    photos = find_photos(folders)
    trained, unseen = (score(predictors, types, scenes, seed=1) for types in (TRAINED, HELD_OUT))
    lines = []
    for name, predict in predictors.items():
        cells = [f"{value:.3f}" for value in (*trained[name], *unseen[name])]
        if photos:
            cells.append(f"{ordered_share(predict, photos):.0%}")
        lines.append("| " + " | ".join([name, *cells]) + " |")
    heads = ["", "AbsRel", "δ<1.25", "AbsRel, unseen types", "δ<1.25, unseen types"]
    heads += [f"{count_pairs(photos)} pairs in order"] if photos else []
    rule = "|" + "---|" * len(heads)
    return "\n".join(["| " + " | ".join(heads) + " |", rule, *lines])


def main() -> None:
    """Parse the command line and write the table to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="the depth model")
    parser.add_argument(
        "--scenes",
        type=int,
        default=1000,
        help="number of scenes, each of trained and of unseen types",
    )
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="folders to search")
    options = parser.parse_args()
    raycast.compile_kernels()
    model = dpt_core.load(options.checkpoint, dtype=torch.float32)
    predictors: dict[str, Predictor] = {"demo": lambda images: model.infer(images).values}
    text = table(predictors | BASELINES, options.scenes, options.photos)
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
