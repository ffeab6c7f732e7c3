"""Boxes (x0, y0, x1, y1) in pixels: around masks, and non-maximum suppression."""

import torch
from torch import Tensor

NEAR = 20  # pixels


def masks_to_boxes(masks: Tensor) -> Tensor:
    """K×H×W bool → K×4 int64: first and last column and row of each mask; 0 for an empty one."""
    empty = ~masks.flatten(1).any(dim=1)
    x0, x1 = _extent(masks.any(dim=1))
    y0, y1 = _extent(masks.any(dim=2))
    return torch.stack([x0, y0, x1, y1], dim=1).masked_fill_(empty.unsqueeze(1), 0)


def box_area(boxes: Tensor) -> Tensor:
    """The areas of K×4 boxes: K."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def non_maximum_suppression(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Indices of the boxes to keep, by falling score.

    A box is dropped when its intersection over union with a better one that is kept is above
    `threshold`. Of equal scores the first is the better.

    Args:
        boxes: K×4.
        scores: K.
        threshold: 0 to 1.
    """
    boxes = boxes.float()
    areas = box_area(boxes)
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        low = torch.maximum(boxes[best, :2], boxes[order, :2])
        high = torch.minimum(boxes[best, 2:], boxes[order, 2:])
        common = (high - low).clamp(min=0).prod(dim=1)
        duplicate = common / (areas[best] + areas[order] - common) > threshold
        order = order[~duplicate]
    return torch.stack(kept) if kept else order


def near_crop_edge(boxes: Tensor, crop: tuple[int, int, int, int], size: tuple[int, int]) -> Tensor:
    """Which boxes come within 20 pixels of an edge of the crop that is not one of the image.

    Their objects are probably cut off there.

    Args:
        boxes: K×4, in pixels of the crop.
        crop: x0, y0, x1, y1 in pixels of the image.
        size: height and width of the image.

    Returns:
        K bool.
    """
    x0, y0, x1, y1 = crop
    height, width = size
    boxes = boxes.float() + torch.tensor([x0, y0, x0, y0])
    near_crop = (boxes - torch.tensor([x0, y0, x1, y1])).abs() <= NEAR
    near_image = (boxes - torch.tensor([0, 0, width, height])).abs() <= NEAR
    return (near_crop & ~near_image).any(dim=1)


def _extent(profile: Tensor) -> tuple[Tensor, Tensor]:
    """K×L bool → the first and the last index that is set in each row, K int64 each."""
    first = profile.int().argmax(dim=1)
    last = profile.shape[1] - 1 - profile.flip(1).int().argmax(dim=1)
    return first, last
