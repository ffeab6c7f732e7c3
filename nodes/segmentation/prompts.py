"""Prompts from the editor and from other nodes, sorted into one prompt for each object."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

FOREGROUND, BACKGROUND = 1, 0

FORM = '{"points": [{"x": 10, "y": 20, "label": 1}], "boxes": [{"x", "y", "width", "height"}]}'


class Point(NamedTuple):
    """A pixel of the image; label 1 is foreground, 0 background."""

    x: float
    y: float
    label: int


class Box(NamedTuple):
    """In pixels of the image, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    def has(self, point: Point) -> bool:
        """Whether a pixel lies inside."""
        return self.x <= point.x < self.x + self.width and self.y <= point.y < self.y + self.height


class Marks(NamedTuple):
    """Points and boxes, not sorted into objects yet."""

    points: tuple[Point, ...] = ()
    boxes: tuple[Box, ...] = ()


class Prompt(NamedTuple):
    """One object: its points, foreground and background, and its box if it has one."""

    points: tuple[Point, ...]
    box: Box | None


# ---- from text and from other nodes


def parse_marks(text: str) -> Marks:
    """The editor's JSON.

    Raises:
        ValueError: it is not JSON, or not of the form; the message says what was found.
    """
    value = _load_json(text, "prompts")
    if not value:  # nothing typed, or nothing in it
        return Marks()
    if not isinstance(value, dict):
        raise ValueError(f"prompts is a JSON {_kind(value)}; the form {FORM} was expected.")
    points = _entries(value.get("points"), "prompts.points")
    boxes = _entries(value.get("boxes"), "prompts.boxes")
    return Marks(
        tuple(
            _point(entry, f"Point {number}", _label(entry, number))
            for number, entry in enumerate(points)
        ),
        tuple(_box(entry, f"Box {number}") for number, entry in enumerate(boxes)),
    )


def parse_places(text: str | None, label: int, name: str) -> tuple[Point, ...]:
    """Points of one label from JSON such as [{"x": 10, "y": 20}], as other nodes give them.

    Raises:
        ValueError: it is not JSON, or not of the form.
    """
    entries = _entries(_load_json(text or "", name), name)
    return tuple(
        _point(entry, f"Entry {number} of {name}", label) for number, entry in enumerate(entries)
    )


def frame_boxes(bboxes: Any, frame: int) -> tuple[Box, ...]:
    """The boxes for one image out of what ComfyUI sends as BOUNDING_BOX.

    That is one box, a list for all images, or a list of lists, one for each image; where
    there are fewer lists than images the last one goes on.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(bboxes, Mapping):
        bboxes = [bboxes]
    if not isinstance(bboxes, Sequence) or isinstance(bboxes, str):
        bboxes = [] if bboxes is None else [bboxes]
    if bboxes and all(isinstance(entry, Sequence) for entry in bboxes):
        bboxes = bboxes[min(frame, len(bboxes) - 1)]
    return tuple(_box(entry, f"Bounding box {number}") for number, entry in enumerate(bboxes))


def _load_json(text: str, name: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{name} is not valid JSON ({error.msg} at line {error.lineno}, column "
            f"{error.colno}). Set the points in the editor again, or correct the text."
        ) from error


def _entries(value: Any, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(
            f'{name} is a JSON {_kind(value)}; a list such as [{{"x": 10, "y": 20}}] was expected.'
        )
    return value


def _numbers(entry: Any, names: tuple[str, ...], what: str) -> tuple[float, ...]:
    numbers = [entry.get(name) for name in names] if isinstance(entry, Mapping) else []
    good = tuple(n for n in numbers if isinstance(n, int | float) and math.isfinite(n))
    if len(good) < len(names):
        raise ValueError(
            f"{what} is {json.dumps(entry, default=str)}; numbers for {', '.join(names)} were "
            "expected, in pixels of the image."
        )
    return good


def _label(entry: Any, number: int) -> int:
    label = entry.get("label", FOREGROUND) if isinstance(entry, Mapping) else FOREGROUND
    if label not in (FOREGROUND, BACKGROUND):
        raise ValueError(
            f"The label of point {number} is {json.dumps(label)}; 1 (foreground) or 0 "
            "(background) was expected."
        )
    return int(label)


def _point(entry: Any, what: str, label: int) -> Point:
    x, y = _numbers(entry, ("x", "y"), what)
    return Point(x, y, label)


def _box(entry: Any, what: str) -> Box:
    return Box(*_numbers(entry, ("x", "y", "width", "height"), what))


def _kind(value: Any) -> str:
    kinds = {dict: "object", list: "list", str: "text", bool: "truth value"}
    return kinds.get(type(value), "number")


def cut_to_image(marks: Marks, size: tuple[int, int]) -> Marks:
    """Boxes without what reaches over the edge of an image of `size`, height and width.

    Raises:
        ValueError: a point is outside, or nothing is left of a box.
    """
    height, width = size
    image = f"the image of {width}×{height} pixels"
    for x, y, _ in marks.points:
        if not (0 <= x <= width and 0 <= y <= height):
            raise ValueError(
                f"A point is at x = {x:g}, y = {y:g}, outside {image}; move it inside "
                "or clear the points."
            )
    boxes = []
    for box in marks.boxes:
        x0, y0 = max(box.x, 0), max(box.y, 0)
        x1, y1 = min(box.x + box.width, width), min(box.y + box.height, height)
        if box.width <= 0 or box.height <= 0:
            raise ValueError(
                f"A box at x = {box.x:g}, y = {box.y:g} is {box.width:g}×{box.height:g} "
                "pixels, which is no area; draw it larger or delete it."
            )
        if x0 >= x1 or y0 >= y1:
            raise ValueError(
                f"A box of {box.width:g}×{box.height:g} pixels is at x = {box.x:g}, "
                f"y = {box.y:g}, outside {image}; move it inside or delete it."
            )
        boxes.append(Box(x0, y0, x1 - x0, y1 - y0))
    return Marks(marks.points, tuple(boxes))


# ---- objects


def to_prompts(marks: Marks, each_point: bool) -> list[Prompt]:
    """One prompt for each object: the boxes in order, then what the free points mark.

    A box is one object; points inside it belong to it (inside several, to the smallest).
    Foreground points outside of all boxes mark one object together, or one each. Background
    points outside of all boxes count for every object.

    Args:
        marks: the points and boxes.
        each_point: whether each free foreground point is an object of its own.

    Raises:
        ValueError: there are background points and nothing else.
    """
    inside: dict[int, list[Point]] = {number: [] for number in range(len(marks.boxes))}
    free: list[Point] = []
    for point in marks.points:
        around = [number for number, box in enumerate(marks.boxes) if box.has(point)]
        if around:
            smallest = min(around, key=lambda i: marks.boxes[i].width * marks.boxes[i].height)
            inside[smallest].append(point)
        else:
            free.append(point)
    wanted = tuple(point for point in free if point.label == FOREGROUND)
    unwanted = tuple(point for point in free if point.label == BACKGROUND)
    prompts = [Prompt((*inside[number], *unwanted), box) for number, box in enumerate(marks.boxes)]
    if wanted:
        groups = [(point,) for point in wanted] if each_point else [wanted]
        prompts += [Prompt((*group, *unwanted), None) for group in groups]
    if unwanted and not prompts:
        raise ValueError(
            "There are only background points; add a foreground point on the object, or a box "
            "around it."
        )
    return prompts


def alike(prompts: Sequence[Prompt]) -> list[list[int]]:
    """Numbers of the prompts that can go through the model at once.

    Those with as many points, and with or without a box: filling up the shorter ones would
    change their masks.
    """
    groups: dict[tuple[int, bool], list[int]] = {}
    for number, prompt in enumerate(prompts):
        groups.setdefault((len(prompt.points), prompt.box is None), []).append(number)
    return list(groups.values())


def to_tensors(prompts: Sequence[Prompt]) -> dict[str, Tensor]:
    """Prompts that are alike → points N×P×2, labels N×P and boxes N×4, those that there are."""
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
