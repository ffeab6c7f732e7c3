"""Prompts for Segment Anything that are chosen by depth."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..depth_map import Depth, check_frames, disparity, valid_pixels
from .connected_components import label_components

WORKING_SIDE = 256  # pixels of the longest side of the depth that is split into layers
BINS = 256  # of the histogram that is split into layers
OUTLIERS = 0.01  # share of the pixels at either end that do not stretch the histogram


class LayerPrompts(NamedTuple):
    """N prompts for one image, as `SamModel.predict` takes them; N may be 0.

    They are ordered from the nearest layer to the farthest, and by falling area within a layer:
    the first is the nearest object.

    Attributes:
        points: N×1×2 float32 pixels (x, y), as far inside the object as possible.
        labels: N×1 int64, all 1.
        boxes: N×4 float32 pixels (x, y, x, y) around the object.
        layers: N int64, the layer of each: 0 is the nearest.
    """

    points: Tensor
    labels: Tensor
    boxes: Tensor
    layers: Tensor


def layer_prompts(depth: Depth, layers: int = 3, least_area: float = 0.005) -> list[LayerPrompts]:
    """Prompts for the objects of each layer of depth.

    Each image is split into `layers` ranges of disparity with the least variance within them,
    and each range into its connected components; a component gives a box and a point. SAM then
    finds the exact boundaries, so this works on a small version of the depth.

    Args:
        depth: raw depth of B images.
        layers: how many, from 2 to 16; an image with fewer distinct depths has fewer, numbered
            from the nearest on.
        least_area: components that cover a smaller share of the image are left out.

    Returns:
        The prompts of each image; none for one whose valid depth is the same everywhere.

    Raises:
        ValueError: the number of layers cannot be used.
    """
    if not 2 <= layers <= 16:
        raise ValueError(f"layers is {layers}; it must be from 2 to 16.")
    check_frames(depth)
    return [
        _frame_prompts(disparity(depth.frame(i))[0], valid_pixels(depth, i), layers, least_area)
        for i in range(len(depth.values))
    ]


def _frame_prompts(values: Tensor, valid: Tensor, layers: int, least_area: float) -> LayerPrompts:
    height, width = values.shape
    shrink = min(1.0, WORKING_SIDE / max(height, width))
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    small, small_valid = (
        F.interpolate(x[None, None].float(), size, mode="nearest-exact")[0, 0].numpy()
        for x in (values, valid)
    )
    points, boxes, numbers = [], [], []
    scale_x, scale_y = width / size[1], height / size[0]
    for number, layer in enumerate(_natural_breaks(small, small_valid > 0, layers)):
        labels, count = label_components(layer, diagonal=False)
        areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        for component in np.argsort(-areas, kind="stable"):
            if areas[component] < least_area * layer.size:
                break
            mask = labels == component + 1
            rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
            y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
            y, x = _innermost_pixel(mask[y0:y1, x0:x1])
            # A point is the index of a pixel, a box runs along the edges of pixels.
            point = ((x0 + x + 0.5) * scale_x - 0.5, (y0 + y + 0.5) * scale_y - 0.5)
            points.append([max(0.0, float(value)) for value in point])
            boxes.append([x0 * scale_x, y0 * scale_y, x1 * scale_x, y1 * scale_y])
            numbers.append(number)
    return LayerPrompts(
        torch.tensor(points, dtype=torch.float32).view(-1, 1, 2),
        torch.ones(len(points), 1, dtype=torch.long),
        torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        torch.tensor(numbers, dtype=torch.long),
    )


def _natural_breaks(
    values: NDArray[np.float32], valid: NDArray[np.bool_], layers: int
) -> list[NDArray[np.bool_]]:
    """H×W masks of the layers of a disparity map, nearest first; none if it is all the same.

    Natural breaks (Fisher 1958, Jenks 1967) of a histogram: of all ways to split it into that
    many classes this one has the least sum of squared deviations from the classes' means. No
    class is empty, so there are fewer where fewer depths can be told apart.
    """
    if not valid.any():
        return []
    low, high = np.quantile(values[valid], (OUTLIERS, 1 - OUTLIERS))
    if not high > low:
        return []
    bins = ((high - values.clip(low, high)) / (high - low) * (BINS - 1)).round().astype(np.intp)
    counts = np.bincount(bins[valid], minlength=BINS).astype(float)
    used = np.flatnonzero(counts)
    total, first, second = (
        np.concatenate([[0], np.cumsum(counts[used] * used**power)]) for power in (0, 1, 2)
    )
    # cost[i, j] of a class from the i-th used bin up to, but without, the j-th.
    weight = np.maximum(total - total[:, None], 1e-9)
    cost = (second - second[:, None]) - (first - first[:, None]) ** 2 / weight
    cost = np.where(np.tri(len(used) + 1, dtype=bool), np.inf, cost)
    best, starts = cost[0], []
    for _ in range(min(layers, len(used)) - 1):
        candidates = best[:, None] + cost
        starts.append(candidates.argmin(axis=0))
        best = candidates.min(axis=0)
    breaks = [len(used)]
    for start in reversed(starts):
        breaks.insert(0, int(start[breaks[0]]))
    edges = [0, *(int(used[index]) for index in breaks[:-1]), BINS]
    return [valid & (bins >= start) & (bins < end) for start, end in pairwise(edges)]


def _innermost_pixel(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Row and column of the pixel farthest from the background, by city-block distance."""
    distance = np.where(np.pad(mask, 1), mask.size, 0)
    for rows in (distance, distance[::-1], distance.T, distance.T[::-1]):
        for before, row in pairwise(rows):
            np.minimum(row, before + 1, out=row)
    row, column = np.unravel_index(distance[1:-1, 1:-1].argmax(), mask.shape)
    return int(row), int(column)
