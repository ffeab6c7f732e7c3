"""Score predictors on scenes of known depth, beside baselines that ignore the content."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .camera import crop, photograph
from .scene_types import SceneType
from .stream import render_random
from .textures import make_atlas

MAX_DISTANCE = 100.0  # metres; mountains and sky beyond it do not count
SIZE = 252
Predictor = Callable[[Tensor], Tensor]  # images B×3×H×W → inverse depth B×H×W


class Scores(NamedTuple):
    """Mean |estimate − truth| / truth, and the share of pixels within a factor of 1.25."""

    relative: float
    close: float


def constant(images: Tensor) -> Tensor:
    """Predict the same everywhere."""
    return torch.zeros_like(images[:, 0])


def row_position(images: Tensor) -> Tensor:
    """Predict that lower in the picture is nearer."""
    rows = torch.linspace(0, 1, images.shape[-2])[:, None]
    return rows.expand_as(images[:, 0])


def brightness(images: Tensor) -> Tensor:
    """Predict that brighter is nearer."""
    return images.mean(dim=1)


BASELINES: dict[str, Predictor] = {
    "constant": constant,
    "row position": row_position,
    "brightness": brightness,
}


def align(predicted: Tensor, inverse: Tensor, valid: Tensor) -> Tensor:
    """Scale and shift each map B×H×W to the true inverse depth, by least squares."""
    weight = valid.flatten(1).double()
    x, y = predicted.flatten(1).double(), inverse.flatten(1).double()
    total = weight.sum(1).clamp_min(1)
    mx, my = (weight * x).sum(1) / total, (weight * y).sum(1) / total
    dx, dy = x - mx[:, None], y - my[:, None]
    scale = (weight * dx * dy).sum(1) / (weight * dx * dx).sum(1).clamp_min(1e-12)
    return (scale[:, None] * dx + my[:, None]).view_as(inverse).float()


def errors(predicted: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """AbsRel and the share of δ < 1.25 of each map, after scale and shift."""
    valid = depth < MAX_DISTANCE
    aligned = align(predicted, 1 / depth, valid).clamp_min(1 / MAX_DISTANCE)
    guess, true = 1 / aligned, torch.where(valid, depth, 1.0)
    total = valid.flatten(1).sum(1).clamp_min(1)
    relative = ((guess - true).abs() / true * valid).flatten(1).sum(1) / total
    ratio = torch.maximum(guess / true, true / guess)
    return relative, ((ratio < 1.25) & valid).flatten(1).sum(1) / total


def random_scenes(
    scene_types: Sequence[SceneType], count: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield pictures B×3×H×W and depth B×H×W of new scenes, 8 at a time, the same for each seed."""
    rng = np.random.default_rng((seed, 0x5C0FE))
    atlas = make_atlas(rng, [], 128)
    for _ in range(-(-count // 8)):
        images, depth = render_random(rng, scene_types, 8, 320, atlas)
        images, depth = crop(images, depth, (SIZE, SIZE), rng)
        yield photograph(images, depth, rng), depth


@torch.inference_mode()
def score(
    predictors: Mapping[str, Predictor], scene_types: Sequence[SceneType], count: int, seed: int
) -> dict[str, Scores]:
    """Each predictor's mean scores over the same `count` scenes."""
    results: dict[str, list[Tensor]] = {name: [] for name in predictors}
    for images, depth in random_scenes(scene_types, count, seed):
        seen = (depth < MAX_DISTANCE).flatten(1).float().mean(1) > 0.1
        for name, predict in predictors.items():
            results[name].append(torch.stack(errors(predict(images), depth), dim=1)[seen])
    return {name: Scores(*torch.cat(rows).mean(0).tolist()) for name, rows in results.items()}
