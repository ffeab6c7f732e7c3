"""Prompts from users, checked and scaled to the network's input."""

import torch
from torch import Tensor

from .preprocessing import Size, resized_size
from .prompt_encoder import Prompts

LABELS = (-1, 0, 1)


def make_prompts(
    points: Tensor | None,
    labels: Tensor | None,
    boxes: Tensor | None,
    mask: Tensor | None,
    image_size: Size,
    side: int,
    low_res: int,
) -> Prompts:
    """Check N prompts and scale them to the network's input.

    Args:
        points, labels, boxes, mask: as for `SamModel.predict`.
        image_size: height and width of the image in pixels.
        side: side of the network's input.
        low_res: side of a mask prompt.

    Raises:
        TypeError, ValueError: one cannot be used; the message says which and why.
    """
    _check_shapes(points, labels, boxes, mask, low_res)
    height, width = resized_size(image_size, side)
    scale = torch.tensor([width / image_size[1], height / image_size[0]], dtype=torch.float64)
    if points is not None and labels is not None:
        points, labels = points.cpu().double(), labels.cpu()
        _check_labels(labels)
        labels = labels.long()
        _check_inside("Point", points, labels != -1, image_size)
        points = (points * scale).float()
    if boxes is not None:
        corners = boxes.cpu().double().unflatten(1, (2, 2))
        _check_inside("Corner", corners, torch.tensor(True), image_size)
        _check_area(boxes)
        boxes = (corners * scale).float().flatten(1)
    if mask is not None and not mask.isfinite().all():
        raise ValueError("The mask prompt has NaN or infinite values; logits were expected.")
    return Prompts(points, labels, boxes, mask)


def _check_shapes(
    points: Tensor | None,
    labels: Tensor | None,
    boxes: Tensor | None,
    mask: Tensor | None,
    low_res: int,
) -> None:
    if points is None and boxes is None and mask is None:
        raise ValueError(
            "There is no prompt: give points with labels, boxes or a mask"
            + (", not labels alone." if labels is not None else ".")
        )
    if (points is None) != (labels is None):
        have, lack = ("labels", "points") if points is None else ("points", "labels")
        raise ValueError(
            f"There are {have} but no {lack}; every point needs a label, 1 for foreground or "
            "0 for background."
        )
    _check_shape("points", points, (None, None, 2), "N×P×2 pixels (x, y)")
    _check_shape("labels", labels, (None, None), "N×P, one label a point")
    _check_shape("boxes", boxes, (None, 4), "N×4 pixels (x, y, x, y)")
    wanted = f"N×1×{low_res}×{low_res} logits, like low_res_logits"
    _check_shape("mask", mask, (None, 1, low_res, low_res), wanted)
    if points is not None and labels is not None and labels.shape != points.shape[:2]:
        raise ValueError(
            f"There are {_text(points.shape[:2])} points and {_text(labels.shape)} labels; "
            "every point needs one label."
        )
    given = {"points": points, "boxes": boxes, "mask": mask}
    counts = {name: len(value) for name, value in given.items() if value is not None}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} in {name}" for name, count in counts.items())
        raise ValueError(f"The numbers of prompts differ: {found}. Give as many of each.")


def _check_shape(
    name: str, value: Tensor | None, shape: tuple[int | None, ...], wanted: str
) -> None:
    if value is None:
        return
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} is a {type(value).__name__}; a tensor {wanted} was expected.")
    fits = value.ndim == len(shape) and all(
        side in (None, found) for side, found in zip(shape, value.shape, strict=True)
    )
    if not fits or 0 in value.shape[1:]:
        raise ValueError(f"{name} is {_text(value.shape)}; {wanted} was expected.")


def _check_labels(labels: Tensor) -> None:
    wrong = labels[~torch.isin(labels, torch.tensor(LABELS).to(labels))]
    if len(wrong):
        raise ValueError(
            f"A label is {wrong[0].item():g}; it must be 1 (foreground), 0 (background) or −1 "
            "(padding)."
        )


def _check_inside(what: str, pixels: Tensor, counted: Tensor, size: Size) -> None:
    """Refuse pixels N×P×2 outside the image, whose edge belongs to it; N×P `counted` count."""
    height, width = size
    inside = (pixels >= 0) & (pixels <= torch.tensor([width, height]))
    outside = counted & ~inside.all(dim=-1)
    if outside.any():
        prompt, number = outside.nonzero()[0].tolist()
        x, y = pixels[prompt, number].tolist()
        raise ValueError(
            f"{what} {number} of prompt {prompt} (counted from 0) is at x = {x:g}, y = {y:g}, "
            f"outside the image of {width}×{height} pixels. Move it inside."
        )


def _check_area(boxes: Tensor) -> None:
    flat = (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
    if flat.any():
        number = int(flat.nonzero()[0])
        x0, y0, x1, y1 = boxes[number].tolist()
        raise ValueError(
            f"Box {number} (counted from 0) has no area: it goes from ({x0:g}, {y0:g}) to "
            f"({x1:g}, {y1:g}). Give its top left corner, then its bottom right one."
        )


def _text(shape: torch.Size) -> str:
    return "×".join(str(side) for side in shape) or "a single number"
