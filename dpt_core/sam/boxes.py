"""Boxes (x0, y0, x1, y1) in pixels: around masks, and which of them repeat another."""

import torch
from torch import Tensor


def mask_boxes(masks: Tensor) -> Tensor:
    """K×H×W bool → K×4 int64: the first and last column and row of each; zeros for an empty one."""
    empty = ~masks.flatten(1).any(dim=1)
    x0, x1 = _extent(masks.any(dim=1))
    y0, y1 = _extent(masks.any(dim=2))
    return torch.stack([x0, y0, x1, y1], dim=1).masked_fill_(empty.unsqueeze(1), 0)


def box_areas(boxes: Tensor) -> Tensor:
    """K×4 → K."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def non_maximum_suppression(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Non-maximum suppression: indices of the boxes to keep, by falling score.

    A box goes when its intersection over union with a better one that stays is above
    `threshold`. Among equal scores the first is the better.
    """
    boxes = boxes.float()
    areas = box_areas(boxes)
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        low = torch.maximum(boxes[best, :2], boxes[order, :2])
        high = torch.minimum(boxes[best, 2:], boxes[order, 2:])
        common = (high - low).clamp(min=0).prod(dim=1)
        repeats = common / (areas[best] + areas[order] - common) > threshold
        order = order[~repeats]
    return torch.stack(kept) if kept else order


def touches_crop(boxes: Tensor, crop: tuple[int, int, int, int], size: tuple[int, int]) -> Tensor:
    """Which boxes, in the crop's frame, come near an edge of the crop that is not the image's.

    What they enclose is probably cut off there. Near is 20 pixels.
    """
    x0, y0, x1, y1 = crop
    height, width = size
    boxes = boxes.float() + torch.tensor([x0, y0, x0, y0])
    near_crop = (boxes - torch.tensor([x0, y0, x1, y1])).abs() <= 20
    near_image = (boxes - torch.tensor([0, 0, width, height])).abs() <= 20
    return (near_crop & ~near_image).any(dim=1)


def _extent(line: Tensor) -> tuple[Tensor, Tensor]:
    """K×L bool → the first and last place that is set, in each row."""
    first = line.int().argmax(dim=1)
    last = line.shape[1] - 1 - line.flip(1).int().argmax(dim=1)
    return first, last
