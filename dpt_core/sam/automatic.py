"""Masks of everything in an image: prompts on a grid of points, and the good masks of them."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .boxes import box_area, masks_to_boxes, near_crop_edge, non_maximum_suppression
from .connected_components import fill_small_holes, remove_small_components
from .crops import Crop, MaskRules, crop_boxes, point_grid, points_per_side
from .preprocessing import Size, to_image
from .prompts import make_prompts

if TYPE_CHECKING:
    from .model import SamModel

MASK_CHUNK = 8  # masks at the image's size that are in memory as floats


class AutomaticMasks(NamedTuple):
    """K masks of one image; K may be 0. Everything is on the CPU.

    Attributes:
        masks: K×H×W bool.
        iou: K float32, the model's own estimate of their quality.
        stability: K float32, 0 to 1.
        boxes: K×4 int64 pixels (x0, y0, x1, y1): the first and last column and row.
        points: K×2 float64 pixels (x, y), the point that prompted the mask.
        crops: K×4 int64 pixels (x0, y0, x1, y1), the crop of the image that it was found in.
    """

    masks: Tensor
    iou: Tensor
    stability: Tensor
    boxes: Tensor
    points: Tensor
    crops: Tensor


class _Candidates(NamedTuple):
    """`AutomaticMasks` whose masks, of the whole image, are packed eight pixels to a byte."""

    packed: Tensor
    iou: Tensor
    stability: Tensor
    boxes: Tensor
    points: Tensor
    crops: Tensor

    def select(self, index: Tensor) -> "_Candidates":
        return _Candidates(*(field[index] for field in self))


def find_masks(
    model: "SamModel", image: Tensor, rules: MaskRules, done: Callable[[], None]
) -> AutomaticMasks:
    """Generate the masks of one image 3×H×W; `done` is called after each batch of points."""
    size = (image.shape[-2], image.shape[-1])
    crops = crop_boxes(size, rules)
    by_crop = []
    for crop, layer in crops:
        x0, y0, x1, y1 = crop
        grid = point_grid(points_per_side(layer, rules))
        points = grid * torch.tensor([x1 - x0, y1 - y0], dtype=torch.float64)
        found = _find_in_crop(model, image[:, y0:y1, x0:x1], points, crop, size, rules, done)
        by_crop.append(
            found.select(non_maximum_suppression(found.boxes, found.iou, rules.box_nms_thresh))
        )
    found = _join(by_crop)
    if len(crops) > 1:
        small_first = 1 / box_area(found.crops)
        found = found.select(
            non_maximum_suppression(found.boxes, small_first, rules.crop_nms_thresh)
        )
    if rules.min_mask_region_area > 0:
        found = _remove_small_regions(found, size, rules)
    return AutomaticMasks(_unpack(found.packed, size), *found[1:])


def _find_in_crop(
    model: "SamModel",
    image: Tensor,
    points: Tensor,
    crop: Crop,
    size: Size,
    rules: MaskRules,
    done: Callable[[], None],
) -> _Candidates:
    """All masks of a crop that are good enough, in the coordinates of the whole image."""
    embedding = model.encode_image(image.unsqueeze(0))
    crop_size, side = embedding.image_size, model.config.encoder.side
    offset = torch.tensor(crop[:2])
    found = [_no_candidates(size)]
    for batch in points.split(rules.points_per_batch):
        labels = torch.ones(len(batch), 1)
        prompts = make_prompts(
            batch.unsqueeze(1), labels, None, None, crop_size, side, model.config.low_res
        )
        low_res, iou = model.decode(embedding.features, prompts, multimask=True)
        prompted_by = batch.repeat_interleave(iou.shape[1], dim=0)
        low_res, iou = low_res.flatten(0, 1), iou.flatten().cpu()  # K×h×w and K
        if rules.pred_iou_thresh > 0:  # first, so that the others need not be enlarged
            good = iou > rules.pred_iou_thresh
            low_res, iou = low_res[good.to(low_res.device)], iou[good]
            prompted_by = prompted_by[good]
        for low_res_chunk, iou_chunk, points_chunk in zip(
            low_res.split(MASK_CHUNK),
            iou.split(MASK_CHUNK),
            prompted_by.split(MASK_CHUNK),
            strict=True,
        ):
            logits = to_image(low_res_chunk.unsqueeze(1), side, crop_size).squeeze(1)
            stability = stability_scores(logits, rules.stability_score_offset).cpu()
            masks = (logits > 0).cpu()
            boxes = masks_to_boxes(masks)
            keep = ~near_crop_edge(boxes, crop, size)
            if rules.stability_score_thresh > 0:
                keep &= stability >= rules.stability_score_thresh
            found.append(
                _Candidates(
                    _pack(masks[keep], crop, size),
                    iou_chunk[keep],
                    stability[keep],
                    boxes[keep] + offset.repeat(2),
                    points_chunk[keep] + offset,
                    torch.tensor(crop).expand(int(keep.sum()), 4),
                )
            )
        done()
    return _join(found)


def stability_scores(logits: Tensor, offset: float) -> Tensor:
    """K×H×W → K: pixels above `offset` over pixels above −`offset`; NaN where there are none."""
    inner = (logits > offset).flatten(1).sum(dim=1)
    outer = (logits > -offset).flatten(1).sum(dim=1)
    return inner / outer


def _remove_small_regions(found: _Candidates, size: Size, rules: MaskRules) -> _Candidates:
    """Remove small holes and components, then masks that have become alike.

    Of those that are alike one that was not changed stays.
    """
    whole = (0, 0, size[1], size[0])
    packed, boxes, unchanged = found.packed.clone(), found.boxes.clone(), []
    for number, mask in enumerate(found.packed):
        pixels = _unpack(mask.unsqueeze(0), size)[0].numpy()
        pixels, had_holes = fill_small_holes(pixels, rules.min_mask_region_area)
        pixels, had_components = remove_small_components(pixels, rules.min_mask_region_area)
        cleaned = torch.from_numpy(pixels).unsqueeze(0)
        packed[number] = _pack(cleaned, whole, size)
        boxes[number] = masks_to_boxes(cleaned)
        unchanged.append(float(not (had_holes or had_components)))
    threshold = max(rules.box_nms_thresh, rules.crop_nms_thresh)
    found = found._replace(packed=packed, boxes=boxes)
    return found.select(non_maximum_suppression(boxes, torch.tensor(unchanged), threshold))


def _pack(masks: Tensor, crop: Crop, size: Size) -> Tensor:
    """K masks of a crop → masks of the whole image, one bit per pixel: K×bytes uint8."""
    x0, y0, x1, y1 = crop
    whole = np.zeros((len(masks), *size), dtype=bool)
    whole[:, y0:y1, x0:x1] = masks.numpy()
    return torch.from_numpy(np.packbits(whole.reshape(len(masks), size[0] * size[1]), axis=1))


def _unpack(packed: Tensor, size: Size) -> Tensor:
    """The inverse of `_pack`: K×H×W bool."""
    height, width = size
    bits = np.unpackbits(packed.numpy(), axis=1, count=height * width)
    return torch.from_numpy(bits.reshape(len(packed), height, width)).bool()


def _no_candidates(size: Size) -> _Candidates:
    return _Candidates(
        torch.zeros(0, math.ceil(size[0] * size[1] / 8), dtype=torch.uint8),
        torch.zeros(0),
        torch.zeros(0),
        torch.zeros(0, 4, dtype=torch.long),
        torch.zeros(0, 2, dtype=torch.float64),
        torch.zeros(0, 4, dtype=torch.long),
    )


def _join(found: Sequence[_Candidates]) -> _Candidates:
    fields: Iterator[tuple[Tensor, ...]] = zip(*found, strict=True)
    return _Candidates(*(torch.cat(field) for field in fields))
