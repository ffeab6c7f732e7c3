"""Align Depth and Remove Plane: raw depth that fits what one knows."""

import json
import re
from typing import Any

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import Depth
from ...dpt_core.geometry.align import (
    KnownPoint,
    align_to_mask,
    align_to_points,
    align_to_reference,
    remove_plane,
)
from .. import host
from ..choices import setting
from ..editor import editor_picture
from ..masks import painted
from ..types import DptDepth

NO_POINTS = "there are no points yet. Click on the picture and type how far away it is there."


class AlignDepth(io.ComfyNode):
    """Relative depth to metres, or to another depth map."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTAlignDepth",
            display_name="Align Depth",
            category="image/geometry estimation",
            description=(
                "Gives relative depth its metres, from a few distances that you know or from "
                "another depth map. Corrects metric depth in the same way."
            ),
            search_aliases=[
                "depth anything",
                "metric depth",
                "relative to metric",
                "scale depth",
                "depth calibration",
                "depth scale and shift",
            ],
            inputs=[
                DptDepth.Input("depth", tooltip="Raw depth from Estimate Depth."),
                io.DynamicCombo.Input(
                    "to",
                    options=[
                        io.DynamicCombo.Option("points", [_points()]),
                        io.DynamicCombo.Option("masked surface", [_metres()]),
                        io.DynamicCombo.Option("other depth", [_robust()]),
                    ],
                    tooltip=(
                        "points: places in the image whose distance you know. masked surface: "
                        "something that is everywhere as far away. other depth: a depth map that "
                        "is right."
                    ),
                ),
                DptDepth.Input(
                    "other",
                    optional=True,
                    tooltip="For 'other depth': the depth map to agree with, of the same size.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=(
                        "For 'masked surface': that surface. For 'other depth': where the two are "
                        "compared; everywhere if nothing is connected."
                    ),
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip=(
                        "For 'points': the image that the depth is of, to click them on. Nothing "
                        "else is done with it."
                    ),
                ),
            ],
            outputs=[
                DptDepth.Output(
                    display_name="depth",
                    tooltip="Depth in metres, or in the unit of the other depth map.",
                )
            ],
            # Without this the editor's picture is not sent again when the run is cached.
            has_intermediate_output=True,
        )

    @classmethod
    def execute(
        cls,
        depth: Depth,
        to: dict[str, Any],
        other: Depth | None = None,
        mask: Tensor | None = None,
        image: Tensor | None = None,
    ) -> io.NodeOutput:
        """Fit a scale and a shift, and apply them."""
        host.stop_if_interrupted()
        if image is None:
            return io.NodeOutput(_align(depth, to, other, mask))
        _check_size(image, depth)
        ui = {"dpt_align": [editor_picture(image[0])]}
        if not to.get("points", "?").strip():
            # An error would keep the picture from the editor in which points are to be set.
            return io.NodeOutput(None, ui=ui, block_execution=f"Align Depth: {NO_POINTS}")
        return io.NodeOutput(_align(depth, to, other, mask), ui=ui)


def _size(depth: Depth) -> tuple[int, int]:
    return depth.values.shape[-2], depth.values.shape[-1]


def _align(depth: Depth, to: dict[str, Any], other: Depth | None, mask: Tensor | None) -> Depth:
    mask = painted(mask, _size(depth))
    if to["to"] == "points":
        return align_to_points(depth, to_points(setting(to, "to", "points")))
    if to["to"] == "masked surface":
        if mask is None:
            raise ValueError("Nothing is masked. Connect a mask in which the surface is painted.")
        return align_to_mask(depth, mask, setting(to, "to", "metres"))
    if other is None:
        raise ValueError("There is no other depth. Connect the depth map to agree with.")
    return align_to_reference(depth, other, mask, setting(to, "to", "robust"))


def _check_size(image: Tensor, depth: Depth) -> None:
    """Points on an image of another size would be at other places.

    Raises:
        ValueError: the sizes differ.
    """
    (height, width), wanted = image.shape[1:3], depth.values.shape[-2:]
    if (height, width) != wanted:
        raise ValueError(
            f"The image is {width}×{height} pixels and the depth {wanted[1]}×{wanted[0]}. Connect "
            "the image that the depth was estimated from."
        )


def to_points(text: str) -> list[KnownPoint]:
    """Points from lines of three numbers; anything but a number may stand between them.

    A JSON list such as ``[{"x": 320, "y": 240, "metres": 2.5}]`` will do too.

    Raises:
        ValueError: a line with another count of numbers, or JSON of another form.
    """
    if text.lstrip().startswith("["):
        return _points_in_json(text)
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
        points.append(KnownPoint(*numbers))
    return points


def _points_in_json(text: str) -> list[KnownPoint]:
    form = '[{"x": 320, "y": 240, "metres": 2.5}]'
    try:
        points = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"The points are not valid JSON ({error.msg} at line {error.lineno}, column "
            f"{error.colno}); a list such as {form} was expected."
        ) from error
    for point in points:
        values = [point.get(name) for name in KnownPoint._fields] if isinstance(point, dict) else []
        if not values or not all(isinstance(value, int | float) for value in values):
            raise ValueError(
                f"The points hold {json.dumps(point)}; x, y and metres were expected, as in {form}."
            )
    return [KnownPoint(*(float(point[name]) for name in KnownPoint._fields)) for point in points]


def _points() -> io.String.Input:
    return io.String.Input(
        "points",
        multiline=True,
        default="",
        placeholder="320, 240, 2.5",
        tooltip=(
            "Connect the image and click on it; or type one point a line: x and y in pixels of the "
            "image, from its upper left corner, and the distance in metres. One point gives the "
            "scale, two or more the offset as well, five or more may hold wrong ones."
        ),
    )


def _metres() -> io.Float.Input:
    return io.Float.Input(
        "metres",
        default=2.0,
        min=0.001,
        max=1e6,
        step=0.01,
        tooltip="Metres from the camera to the masked surface.",
    )


def _robust() -> io.Boolean.Input:
    return io.Boolean.Input(
        "robust",
        default=True,
        tooltip="Up to half of the pixels may disagree. Off: least squares over all of them.",
    )


class RemovePlane(io.ComfyNode):
    """What stands on a floor or hangs on a wall, without the floor or the wall."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTRemovePlane",
            display_name="Remove Plane",
            category="image/geometry estimation",
            description=(
                "Takes the plane that dominates the image out of its depth: a floor, a table or a "
                "wall. What is left is how much things stand out from it."
            ),
            search_aliases=[
                "depth anything",
                "remove floor",
                "remove ground plane",
                "flatten depth",
                "floor mask",
                "bas relief",
            ],
            inputs=[
                DptDepth.Input("depth", tooltip="Raw depth from Estimate Depth."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where to look for the plane; everywhere if nothing is connected.",
                ),
            ],
            outputs=[
                DptDepth.Output(
                    display_name="depth",
                    tooltip="Inverse depth above the plane: 0 on it, larger in front of it.",
                ),
                io.Mask.Output(display_name="plane", tooltip="1 where the plane is seen."),
            ],
        )

    @classmethod
    def execute(cls, depth: Depth, mask: Tensor | None = None) -> io.NodeOutput:
        """Fit and subtract, frame by frame."""
        host.stop_if_interrupted()
        flat = remove_plane(depth, painted(mask, _size(depth)))
        plane = host.empty_result(tuple(flat.plane.shape))
        plane.copy_(flat.plane)
        return io.NodeOutput(flat.depth, plane)
