"""Depth and masks together: a mask of a range of depth, and prompts chosen by depth."""

from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..depth_map import Depth, check_frames, disparity, valid_pixels
from .connected_components import label_regions

Unit = Literal["percentile", "metres"]

WORKING_SIDE = 256  # pixels of the longest side while regions are looked for
BINS = 256  # of the histogram that is cut into layers
OUTLIERS = 0.01  # of the pixels at either end do not stretch the histogram


class LayerPrompts(NamedTuple):
    """N prompts for one image, as `SamModel.predict` takes them; N may be 0.

    They are ordered from the nearest layer to the farthest, and by falling area within one:
    the first is the nearest object.

    Attributes:
        points: N×1×2 float32 pixels (x, y), where the region is thickest.
        labels: N×1 int64, all 1.
        boxes: N×4 float32 pixels (x, y, x, y) around the region.
        layers: N int64, the layer of each: 0 is the nearest.
    """

    points: Tensor
    labels: Tensor
    boxes: Tensor
    layers: Tensor


def depth_mask(
    depth: Depth, near: float, far: float, soft: float = 0.0, unit: Unit = "percentile"
) -> Tensor:
    """A mask of what lies between two depths.

    It is 1 from `near` to `far`, both included, and falls in a straight line to 0 at `soft`
    before and behind them. Percentiles are of each image's own pixels, so they need no unit
    but differ from frame to frame; metres are the same in all frames.

    Args:
        depth: B×H×W, raw.
        near, far: percentiles (0 is the nearest pixel, 100 the farthest) or metres.
        soft: width of the soft edges in the same unit.
        unit: ``"percentile"`` or ``"metres"``.

    Returns:
        B×H×W float32 in [0, 1]; 0 where the depth is not valid.

    Raises:
        ValueError: metres of a depth that has none, or a range that cannot be used.
    """
    if unit not in ("percentile", "metres"):
        raise ValueError(f"unit is {unit!r}; it must be 'percentile' or 'metres'.")
    if unit == "metres" and depth.kind != "metres":
        raise ValueError(
            f"The depth is {depth.kind} and has no metres; use percentiles, or a metric model."
        )
    if not (near <= far and soft >= 0):
        raise ValueError(
            f"near is {near:g}, far {far:g} and soft {soft:g}; near must not be above far, and "
            "soft not below 0."
        )
    if unit == "percentile" and not (near >= 0 and far <= 100):
        raise ValueError(f"near is {near:g} and far {far:g}; percentiles are from 0 to 100.")
    check_frames(depth)
    valid = _all_valid(depth)
    places = depth.values.float() if unit == "metres" else _percentiles(-disparity(depth), valid)
    beyond = torch.maximum(near - places, places - far).clamp(min=0)
    mask = (1 - beyond / soft).clamp(min=0) if soft > 0 else (beyond == 0).float()
    return torch.where(valid, mask, 0.0)


def layer_prompts(depth: Depth, layers: int = 3, least_area: float = 0.005) -> list[LayerPrompts]:
    """Prompts for the objects of each layer of depth.

    Each image is cut into `layers` ranges of disparity with the least variance within them,
    and each range into its connected regions; a region gives a box and a point. SAM then
    finds the exact boundaries, so this works on a small version of the depth.

    Args:
        depth: B×H×W, raw.
        layers: how many, from 2 to 16; an image with fewer distinct depths has fewer, from
            the nearest on.
        least_area: regions of a smaller share of the image are left out.

    Returns:
        The prompts of each image: none for one of even depth.

    Raises:
        ValueError: the number of layers cannot be used.
    """
    if not 2 <= layers <= 16:
        raise ValueError(f"layers is {layers}; it must be from 2 to 16.")
    check_frames(depth)
    near, valid = disparity(depth), _all_valid(depth)
    return [_image_prompts(*image, layers, least_area) for image in zip(near, valid, strict=True)]


def _image_prompts(near: Tensor, valid: Tensor, layers: int, least_area: float) -> LayerPrompts:
    height, width = near.shape
    shrink = min(1.0, WORKING_SIDE / max(height, width))
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    small, small_valid = (
        F.interpolate(x[None, None].float(), size, mode="nearest-exact")[0, 0].numpy()
        for x in (near, valid)
    )
    usable = small_valid > 0
    points, boxes, numbers = [], [], []
    scale_x, scale_y = width / size[1], height / size[0]
    for number, layer in enumerate(_cut(small, usable, layers)):
        labels, count = label_regions(layer, diagonal=False)
        areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        for region in np.argsort(-areas, kind="stable"):
            if areas[region] < least_area * layer.size:
                break
            mask = labels == region + 1
            rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
            y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
            y, x = _thickest(mask[y0:y1, x0:x1])
            # A point is the index of a pixel, a box runs along pixels' edges.
            place = ((x0 + x + 0.5) * scale_x - 0.5, (y0 + y + 0.5) * scale_y - 0.5)
            points.append([max(0.0, float(value)) for value in place])
            boxes.append([x0 * scale_x, y0 * scale_y, x1 * scale_x, y1 * scale_y])
            numbers.append(number)
    return LayerPrompts(
        torch.tensor(points, dtype=torch.float32).view(-1, 1, 2),
        torch.ones(len(points), 1, dtype=torch.long),
        torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        torch.tensor(numbers, dtype=torch.long),
    )


def _all_valid(depth: Depth) -> Tensor:
    return torch.stack([valid_pixels(depth, number) for number in range(len(depth.values))])


def _percentiles(values: Tensor, valid: Tensor) -> Tensor:
    """Where each value of B×H×W lies among the valid ones of its image, 0 to 100.

    Equal values are at the middle of the places that they take together.
    """
    places = torch.zeros_like(values)
    for image, counts, result in zip(values, valid, places, strict=True):
        ordered = image[counts].sort().values
        below = torch.searchsorted(ordered, image.contiguous())
        up_to = torch.searchsorted(ordered, image.contiguous(), right=True)
        result.copy_((below + up_to - 1) * (50 / max(1, len(ordered) - 1)))
    return places


def _cut(near: NDArray[np.float32], usable: NDArray[np.bool_], layers: int) -> list[NDArray]:
    """Masks of the layers, nearest first; none where there is nothing to tell apart.

    The cuts are the best there are for a histogram (Fisher, 1958): of all ways to cut it
    into that many pieces this has the least sum of squared distances to the pieces' means.
    No piece is empty, so there are fewer where fewer depths can be told apart.
    """
    if not usable.any():
        return []
    low, high = np.quantile(near[usable], (OUTLIERS, 1 - OUTLIERS))
    if not high > low:
        return []
    bins = ((high - near.clip(low, high)) / (high - low) * (BINS - 1)).round().astype(np.intp)
    counts = np.bincount(bins[usable], minlength=BINS).astype(float)
    place = np.flatnonzero(counts)
    total, first, second = (
        np.concatenate([[0], np.cumsum(counts[place] * place**power)]) for power in (0, 1, 2)
    )
    # cost[i, j] of the piece from the i-th place up to the j-th, which is not in it.
    weight = np.maximum(total - total[:, None], 1e-9)
    cost = (second - second[:, None]) - (first - first[:, None]) ** 2 / weight
    cost = np.where(np.tri(len(place) + 1, dtype=bool), np.inf, cost)
    best, starts = cost[0], []
    for _ in range(min(layers, len(place)) - 1):
        candidates = best[:, None] + cost
        starts.append(candidates.argmin(axis=0))
        best = candidates.min(axis=0)
    edges = [len(place)]
    for start in reversed(starts):
        edges.insert(0, int(start[edges[0]]))
    borders = [0, *(int(place[edge]) for edge in edges[:-1]), BINS]
    return [usable & (bins >= start) & (bins < end) for start, end in pairwise(borders)]


def _thickest(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Row and column of the pixel farthest from all that is not set, in steps along the axes."""
    depth = np.where(np.pad(mask, 1), mask.size, 0)
    for lines in (depth, depth[::-1], depth.T, depth.T[::-1]):
        for before, line in pairwise(lines):
            np.minimum(line, before + 1, out=line)
    row, column = np.unravel_index(depth[1:-1, 1:-1].argmax(), mask.shape)
    return int(row), int(column)
