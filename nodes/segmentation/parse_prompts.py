"""Points and boxes from the editor's JSON and from other nodes."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from .prompts import BACKGROUND, FOREGROUND, Box, Marks, Point

FORM = '{"points": [{"x": 10, "y": 20, "label": 1}], "boxes": [{"x", "y", "width", "height"}]}'


def parse_marks(text: str) -> Marks:
    """The editor's JSON.

    Raises:
        ValueError: it is not JSON, or has another form.
    """
    value = _load_json(text, "prompts")
    if not value:  # no text, or an empty list or object
        return Marks()
    if not isinstance(value, dict):
        raise ValueError(f"prompts is a JSON {_json_type(value)}; the form {FORM} was expected.")
    points = _entries(value.get("points"), "prompts.points")
    boxes = _entries(value.get("boxes"), "prompts.boxes")
    return Marks(
        tuple(
            _point(entry, f"Point {number}", _label(entry, number))
            for number, entry in enumerate(points)
        ),
        tuple(_box(entry, f"Box {number}") for number, entry in enumerate(boxes)),
    )


def parse_points(text: str | None, label: int, name: str) -> tuple[Point, ...]:
    """Points of one label from JSON such as [{"x": 10, "y": 20}], as other nodes give them.

    Raises:
        ValueError: it is not JSON, or has another form.
    """
    entries = _entries(_load_json(text or "", name), name)
    return tuple(
        _point(entry, f"Entry {number} of {name}", label) for number, entry in enumerate(entries)
    )


def frame_boxes(bboxes: Any, frame: int) -> tuple[Box, ...]:
    """The boxes of one image, from what ComfyUI sends as BOUNDING_BOX.

    This is one box, a list for all images, or a list of lists, one for each image. If there are
    fewer lists than images, the last one is used for the rest.

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
            f"{name} is a JSON {_json_type(value)}; a list such as "
            '[{"x": 10, "y": 20}] was expected.'
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


def _json_type(value: Any) -> str:
    names = {dict: "object", list: "list", str: "string", bool: "boolean"}
    return names.get(type(value), "number")


def clip_to_image(marks: Marks, size: tuple[int, int]) -> Marks:
    """Clip boxes to an image of height and width `size`.

    Raises:
        ValueError: a point or a whole box lies outside, or a box has no area.
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
                "pixels and has no area; draw it larger or delete it."
            )
        if x0 >= x1 or y0 >= y1:
            raise ValueError(
                f"A box of {box.width:g}×{box.height:g} pixels is at x = {box.x:g}, "
                f"y = {box.y:g}, outside {image}; move it inside or delete it."
            )
        boxes.append(Box(x0, y0, x1 - x0, y1 - y0))
    return Marks(marks.points, tuple(boxes))
