"""Points and boxes, grouped into one prompt for each object."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

FOREGROUND, BACKGROUND = 1, 0


class Point(NamedTuple):
    """A pixel of the image; label 1 is foreground, 0 background."""

    x: float
    y: float
    label: int


class Box(NamedTuple):
    """A rectangle in pixels of the image; x and y are its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    def contains(self, point: Point) -> bool:
        """Whether a point lies inside."""
        return self.x <= point.x < self.x + self.width and self.y <= point.y < self.y + self.height


class Marks(NamedTuple):
    """Points and boxes that are not grouped into objects yet."""

    points: tuple[Point, ...] = ()
    boxes: tuple[Box, ...] = ()


class Prompt(NamedTuple):
    """One object: its foreground and background points, and its box, if it has one."""

    points: tuple[Point, ...]
    box: Box | None


def to_prompts(marks: Marks, each_point: bool) -> list[Prompt]:
    """One prompt for each object: the boxes in order, then what the free points mark.

    A box is one object, and the points inside it belong to it (inside several boxes, to the
    smallest). Foreground points outside all boxes mark one object together, or one each.
    Background points outside all boxes apply to every object.

    Args:
        marks: the points and boxes.
        each_point: each free foreground point is an object of its own.

    Raises:
        ValueError: there are only background points.
    """
    inside: dict[int, list[Point]] = {number: [] for number in range(len(marks.boxes))}
    free: list[Point] = []
    for point in marks.points:
        enclosing = [number for number, box in enumerate(marks.boxes) if box.contains(point)]
        if enclosing:
            smallest = min(enclosing, key=lambda i: marks.boxes[i].width * marks.boxes[i].height)
            inside[smallest].append(point)
        else:
            free.append(point)
    foreground = tuple(point for point in free if point.label == FOREGROUND)
    background = tuple(point for point in free if point.label == BACKGROUND)
    prompts = [
        Prompt((*inside[number], *background), box) for number, box in enumerate(marks.boxes)
    ]
    if foreground:
        groups = [(point,) for point in foreground] if each_point else [foreground]
        prompts += [Prompt((*group, *background), None) for group in groups]
    if background and not prompts:
        raise ValueError(
            "There are only background points; add a foreground point on the object or a box "
            "around it."
        )
    return prompts


def group_by_form(prompts: Sequence[Prompt]) -> list[list[int]]:
    """Indices of the prompts that can go through the model together.

    They have the same number of points, and all or none of them have a box: padding the shorter
    ones would change their masks.
    """
    groups: dict[tuple[int, bool], list[int]] = {}
    for number, prompt in enumerate(prompts):
        groups.setdefault((len(prompt.points), prompt.box is None), []).append(number)
    return list(groups.values())


def to_tensors(prompts: Sequence[Prompt]) -> dict[str, Tensor]:
    """Prompts of one form → points N×P×2 and labels N×P, and boxes N×4, where they have them."""
    tensors = {}
    if prompts[0].points:
        points = torch.tensor([prompt.points for prompt in prompts], dtype=torch.float64)
        tensors |= {"points": points[..., :2], "labels": points[..., 2]}
    boxes = [prompt.box for prompt in prompts if prompt.box is not None]
    if boxes:
        corners = torch.tensor(boxes, dtype=torch.float64)
        corners[:, 2:] += corners[:, :2]
        tensors["boxes"] = corners
    return tensors
