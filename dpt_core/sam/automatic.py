"""Masks of everything in an image: a grid of points, then the good masks, each once."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .boxes import box_areas, mask_boxes, non_maximum_suppression, touches_crop
from .connected_components import fill_holes, remove_islands
from .preprocessing import Size, to_image
from .prompts import make_prompts

if TYPE_CHECKING:
    from .model import SamModel

Crop = tuple[int, int, int, int]  # x0, y0, x1, y1
AT_ONCE = 8  # masks at the image's size in memory, as floats


@dataclass(frozen=True)
class MaskRules:
    """How many points are tried, and which masks are kept; names and defaults are the official.

    Attributes:
        points_per_side: of the grid of points.
        points_per_batch: points that go through the mask decoder at once.
        pred_iou_thresh: the least quality by the model's own estimate; 0 for any.
        stability_score_thresh: the least stability, which is the intersection over union of
            the mask with the threshold raised and lowered; 0 for any.
        stability_score_offset: how far it is raised and lowered, in logits.
        box_nms_thresh: of two masks whose boxes' intersection over union is above this, the
            better one stays.
        crop_n_layers: how often the image is also cut into pieces, 2^i by 2^i in layer i.
        crop_nms_thresh: as `box_nms_thresh`, between pieces; the smaller piece's mask stays.
        crop_overlap_ratio: overlap of the first layer's pieces, of the image's shorter side.
        crop_n_points_downscale_factor: `points_per_side` is divided by its i-th power in
            layer i.
        min_mask_region_area: holes and separate parts of fewer pixels are removed; 0: none.
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


class AutomaticMasks(NamedTuple):
    """K masks of one image; K may be 0. Everything is on the CPU.

    Attributes:
        masks: K×H×W bool.
        iou: K float32, the model's own estimate of their quality.
        stability: K float32, 0 to 1.
        boxes: K×4 int64 pixels (x0, y0, x1, y1): the first and last column and row.
        points: K×2 float64 pixels (x, y), the point that gave the mask.
        crops: K×4 int64 pixels (x0, y0, x1, y1), the piece of the image that it was found in.
    """

    masks: Tensor
    iou: Tensor
    stability: Tensor
    boxes: Tensor
    points: Tensor
    crops: Tensor


class _Found(NamedTuple):
    """As AutomaticMasks; the masks of the whole image are packed eight pixels to a byte."""

    packed: Tensor
    iou: Tensor
    stability: Tensor
    boxes: Tensor
    points: Tensor
    crops: Tensor

    def select(self, index: Tensor) -> "_Found":
        return _Found(*(field[index] for field in self))


def count_batches(size: Size, rules: MaskRules) -> int:
    """How many batches of points an image of `size` takes."""
    return sum(
        math.ceil(_points_per_side(layer, rules) ** 2 / rules.points_per_batch)
        for _, layer in crop_boxes(size, rules)
    )


def find_masks(
    model: "SamModel", image: Tensor, rules: MaskRules, done: Callable[[], None]
) -> AutomaticMasks:
    """The masks of one image 3×H×W; `done` is called after each batch of points."""
    size = (image.shape[-2], image.shape[-1])
    crops = crop_boxes(size, rules)
    parts = []
    for crop, layer in crops:
        x0, y0, x1, y1 = crop
        grid = point_grid(_points_per_side(layer, rules))
        points = grid * torch.tensor([x1 - x0, y1 - y0], dtype=torch.float64)
        found = _find_in_crop(model, image[:, y0:y1, x0:x1], points, crop, size, rules, done)
        parts.append(
            found.select(non_maximum_suppression(found.boxes, found.iou, rules.box_nms_thresh))
        )
    found = _join(parts)
    if len(crops) > 1:
        small_first = 1 / box_areas(found.crops)
        found = found.select(
            non_maximum_suppression(found.boxes, small_first, rules.crop_nms_thresh)
        )
    if rules.min_mask_region_area > 0:
        found = _tidy(found, size, rules)
    return AutomaticMasks(_unpack(found.packed, size), *found[1:])


def crop_boxes(size: Size, rules: MaskRules) -> list[tuple[Crop, int]]:
    """The pieces of an image of `size`, the whole first, each with its layer."""
    height, width = size
    crops = [((0, 0, width, height), 0)]
    for layer in range(1, rules.crop_n_layers + 1):
        pieces = 2**layer
        overlap = int(rules.crop_overlap_ratio * min(size) * (2 / pieces))
        crop_width = math.ceil((overlap * (pieces - 1) + width) / pieces)
        crop_height = math.ceil((overlap * (pieces - 1) + height) / pieces)
        for column, row in product(range(pieces), repeat=2):
            x0, y0 = column * (crop_width - overlap), row * (crop_height - overlap)
            if x0 < width and y0 < height:
                x1, y1 = min(x0 + crop_width, width), min(y0 + crop_height, height)
                crops.append(((x0, y0, x1, y1), layer))
    return crops


def point_grid(side: int) -> Tensor:
    """side²×2 places (x, y) in [0, 1], in the middle of equal squares, row by row. float64."""
    line = torch.from_numpy(np.linspace(1 / (2 * side), 1 - 1 / (2 * side), side))
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([columns, rows], dim=-1).view(-1, 2)


def _points_per_side(layer: int, rules: MaskRules) -> int:
    return max(1, int(rules.points_per_side / rules.crop_n_points_downscale_factor**layer))


def _find_in_crop(
    model: "SamModel",
    image: Tensor,
    points: Tensor,
    crop: Crop,
    size: Size,
    rules: MaskRules,
    done: Callable[[], None],
) -> _Found:
    """All masks that are good enough, with places in the whole image's frame."""
    embedding = model.encode_image(image.unsqueeze(0))
    crop_size, side = embedding.image_size, model.config.encoder.side
    offset = torch.tensor(crop[:2])
    parts = [_none_found(size)]
    for batch in points.split(rules.points_per_batch):
        labels = torch.ones(len(batch), 1)
        prompts = make_prompts(
            batch.unsqueeze(1), labels, None, None, crop_size, side, model.config.low_res
        )
        low_res, iou = model.decode(embedding.features, prompts, multimask=True)
        owners = batch.repeat_interleave(iou.shape[1], dim=0)
        low_res, iou = low_res.flatten(0, 1), iou.flatten().cpu()
        if rules.pred_iou_thresh > 0:  # first, so that the others need not be enlarged
            good = iou > rules.pred_iou_thresh
            low_res, iou, owners = low_res[good.to(low_res.device)], iou[good], owners[good]
        for some, iou_part, owners_part in zip(
            low_res.split(AT_ONCE), iou.split(AT_ONCE), owners.split(AT_ONCE), strict=True
        ):
            logits = to_image(some.unsqueeze(1), side, crop_size).squeeze(1)
            stability = stability_scores(logits, rules.stability_score_offset).cpu()
            masks = (logits > 0).cpu()
            boxes = mask_boxes(masks)
            keep = ~touches_crop(boxes, crop, size)
            if rules.stability_score_thresh > 0:
                keep &= stability >= rules.stability_score_thresh
            parts.append(
                _Found(
                    _pack(masks[keep], crop, size),
                    iou_part[keep],
                    stability[keep],
                    boxes[keep] + offset.repeat(2),
                    owners_part[keep] + offset,
                    torch.tensor(crop).expand(int(keep.sum()), 4),
                )
            )
        done()
    return _join(parts)


def stability_scores(logits: Tensor, offset: float) -> Tensor:
    """K×H×W → K: pixels above `offset` over pixels above −`offset`; NaN where there are none."""
    inner = (logits > offset).flatten(1).sum(dim=1)
    outer = (logits > -offset).flatten(1).sum(dim=1)
    return inner / outer


def _tidy(found: _Found, size: Size, rules: MaskRules) -> _Found:
    """Remove small holes and parts, then masks that have become alike; untouched ones stay."""
    whole = (0, 0, size[1], size[0])
    packed, boxes, untouched = found.packed.clone(), found.boxes.clone(), []
    for number, mask in enumerate(found.packed):
        pixels = _unpack(mask.unsqueeze(0), size)[0].numpy()
        pixels, had_holes = fill_holes(pixels, rules.min_mask_region_area)
        pixels, had_islands = remove_islands(pixels, rules.min_mask_region_area)
        tidied = torch.from_numpy(pixels).unsqueeze(0)
        packed[number] = _pack(tidied, whole, size)
        boxes[number] = mask_boxes(tidied)
        untouched.append(float(not (had_holes or had_islands)))
    threshold = max(rules.box_nms_thresh, rules.crop_nms_thresh)
    found = found._replace(packed=packed, boxes=boxes)
    return found.select(non_maximum_suppression(boxes, torch.tensor(untouched), threshold))


def _pack(masks: Tensor, crop: Crop, size: Size) -> Tensor:
    """K masks of a piece → those of the whole image, a bit a pixel: K×bytes uint8."""
    x0, y0, x1, y1 = crop
    whole = np.zeros((len(masks), *size), dtype=bool)
    whole[:, y0:y1, x0:x1] = masks.numpy()
    return torch.from_numpy(np.packbits(whole.reshape(len(masks), size[0] * size[1]), axis=1))


def _unpack(packed: Tensor, size: Size) -> Tensor:
    """The reverse of `_pack`: K×H×W bool."""
    height, width = size
    bits = np.unpackbits(packed.numpy(), axis=1, count=height * width)
    return torch.from_numpy(bits.reshape(len(packed), height, width)).bool()


def _none_found(size: Size) -> _Found:
    return _Found(
        torch.zeros(0, math.ceil(size[0] * size[1] / 8), dtype=torch.uint8),
        torch.zeros(0),
        torch.zeros(0),
        torch.zeros(0, 4, dtype=torch.long),
        torch.zeros(0, 2, dtype=torch.float64),
        torch.zeros(0, 4, dtype=torch.long),
    )


def _join(parts: Sequence[_Found]) -> _Found:
    fields: Iterator[tuple[Tensor, ...]] = zip(*parts, strict=True)
    return _Found(*(torch.cat(field) for field in fields))
