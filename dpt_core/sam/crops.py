"""What the automatic mask generator tries: crops of an image, and a grid of points in each."""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor

from .preprocessing import Size

Crop = tuple[int, int, int, int]  # x0, y0, x1, y1


@dataclass(frozen=True)
class MaskRules:
    """How many points are tried, and which masks are kept.

    Names and defaults are those of the official `SamAutomaticMaskGenerator`.

    Attributes:
        points_per_side: rows, and columns, of the grid of points.
        points_per_batch: points that go through the mask decoder at once.
        pred_iou_thresh: least quality by the model's own estimate; 0 for any.
        stability_score_thresh: least stability, the intersection over union of the masks with
            the threshold raised and lowered; 0 for any.
        stability_score_offset: how far the threshold is raised and lowered, in logits.
        box_nms_thresh: of two masks whose boxes' intersection over union is above this, the
            better one stays.
        crop_n_layers: how many layers of crops are searched too, 2^i by 2^i of them in layer i.
        crop_nms_thresh: as `box_nms_thresh`, between crops; the mask of the smaller crop stays.
        crop_overlap_ratio: overlap of the first layer's crops, as a share of the image's shorter
            side.
        crop_n_points_downscale_factor: its i-th power divides `points_per_side` in layer i.
        min_mask_region_area: holes and separate components of fewer pixels are removed; 0: none.
    """

    points_per_side: int = 32
    points_per_batch: int = 64
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    min_mask_region_area: int = 0

    def __post_init__(self) -> None:
        for name in ("points_per_side", "points_per_batch", "crop_n_points_downscale_factor"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.crop_n_layers < 0:
            raise ValueError(f"crop_n_layers is {self.crop_n_layers}; it must be at least 0.")
        if not 0 <= self.crop_overlap_ratio < 1:
            raise ValueError(
                f"crop_overlap_ratio is {self.crop_overlap_ratio}; it must be from 0 to below 1."
            )


def count_batches(size: Size, rules: MaskRules) -> int:
    """How many batches of points an image of `size` takes."""
    return sum(
        math.ceil(points_per_side(layer, rules) ** 2 / rules.points_per_batch)
        for _, layer in crop_boxes(size, rules)
    )


def crop_boxes(size: Size, rules: MaskRules) -> list[tuple[Crop, int]]:
    """The crops of an image of `size`, the whole image first, each with its layer."""
    height, width = size
    crops = [((0, 0, width, height), 0)]
    for layer in range(1, rules.crop_n_layers + 1):
        count = 2**layer
        overlap = int(rules.crop_overlap_ratio * min(size) * (2 / count))
        crop_width = math.ceil((overlap * (count - 1) + width) / count)
        crop_height = math.ceil((overlap * (count - 1) + height) / count)
        for column, row in product(range(count), repeat=2):
            x0, y0 = column * (crop_width - overlap), row * (crop_height - overlap)
            if x0 < width and y0 < height:
                x1, y1 = min(x0 + crop_width, width), min(y0 + crop_height, height)
                crops.append(((x0, y0, x1, y1), layer))
    return crops


def points_per_side(layer: int, rules: MaskRules) -> int:
    """The side of the grid of points in a crop of a layer."""
    return max(1, int(rules.points_per_side / rules.crop_n_points_downscale_factor**layer))


def point_grid(side: int) -> Tensor:
    """The centres (x, y) of side² equal squares in [0, 1], row by row. side²×2 float64."""
    centres = torch.from_numpy(np.linspace(1 / (2 * side), 1 - 1 / (2 * side), side))
    rows, columns = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([columns, rows], dim=-1).view(-1, 2)
