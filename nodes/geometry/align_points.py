"""Points with known distances, as text."""

import json
import re

from ...dpt_core.geometry.align import MeasuredPoint

JSON_FORM = '[{"x": 320, "y": 240, "metres": 2.5}]'


def parse_points(text: str) -> list[MeasuredPoint]:
    """Points from lines of three numbers, separated by anything that is not a number.

    A JSON list such as ``[{"x": 320, "y": 240, "metres": 2.5}]`` works too.

    Raises:
        ValueError: a line does not hold three numbers, or JSON has another form.
    """
    if text.lstrip().startswith("["):
        return _parse_json(text)
    points = []
    for line in text.splitlines():
        if not line.strip():
            continue
        numbers = [float(number) for number in re.findall(r"[-+]?\d+\.?\d*|\.\d+", line)]
        if len(numbers) != 3:
            raise ValueError(
                f"The line {line.strip()!r} of the points holds {len(numbers)} numbers; three were "
                "expected: x and y in pixels and the distance in metres, as in 320, 240, 2.5."
            )
        points.append(MeasuredPoint(*numbers))
    return points


def _parse_json(text: str) -> list[MeasuredPoint]:
    try:
        points = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"The points are not valid JSON ({error.msg} at line {error.lineno}, column "
            f"{error.colno}); a list such as {JSON_FORM} was expected."
        ) from error
    names = MeasuredPoint._fields
    for point in points:
        values = [point.get(name) for name in names] if isinstance(point, dict) else []
        if not values or not all(isinstance(value, int | float) for value in values):
            raise ValueError(
                f"The points contain {json.dumps(point)}; x, y and metres were expected, as in "
                f"{JSON_FORM}."
            )
    return [MeasuredPoint(*(float(point[name]) for name in names)) for point in points]
