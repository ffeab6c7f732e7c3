"""Align Depth: raw depth scaled to fit known distances or another depth map."""

from typing import Any

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import Depth
from ...dpt_core.geometry.align import align_to_mask, align_to_points, align_to_reference
from ..depth.inputs import depth_input
from ..dynamic_combo import setting
from ..host import running
from ..images import frame_size, prepare_mask
from ..point_editor import editor_image
from ..types import DptDepth
from .align_points import parse_points

NO_POINTS = "there are no points yet. Click on the picture and type how far away that place is."


class AlignDepth(io.ComfyNode):
    """Relative depth to metres, or to the scale of another depth map."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTAlignDepth",
            display_name="Align Depth",
            category="image/geometry estimation",
            description=(
                "Converts relative depth to metres, using a few distances that you know or another "
                "depth map. Corrects metric depth in the same way."
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
                depth_input(),
                io.DynamicCombo.Input(
                    "to",
                    options=[
                        io.DynamicCombo.Option("points", [_points()]),
                        io.DynamicCombo.Option("masked surface", [_metres()]),
                        io.DynamicCombo.Option("other depth", [_robust()]),
                    ],
                    tooltip=(
                        "points: places in the image whose distance you know. masked surface: a "
                        "surface that is the same distance away everywhere. other depth: a depth "
                        "map with the right scale."
                    ),
                ),
                DptDepth.Input(
                    "other",
                    optional=True,
                    tooltip="For 'other depth': the depth map to match, of the same size.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=(
                        "For 'masked surface': that surface. For 'other depth': where to compare "
                        "the two; everywhere if nothing is connected."
                    ),
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip=(
                        "For 'points': the image that the depth belongs to, so that you can click "
                        "on it. It is not used for anything else."
                    ),
                ),
            ],
            outputs=[
                DptDepth.Output(
                    display_name="depth",
                    tooltip="Depth in metres, or in the unit of the other depth map.",
                )
            ],
            # Otherwise the editor's picture is not sent again when the run is cached.
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
        running.stop_if_interrupted()
        if image is None:
            return io.NodeOutput(_align(depth, to, other, mask))
        _check_size(image, depth)
        ui = {"dpt_align": [editor_image(image)]}
        if not to.get("points", "?").strip():
            # An error would keep the editor from getting the picture to set points on.
            return io.NodeOutput(None, ui=ui, block_execution=f"Align Depth: {NO_POINTS}")
        return io.NodeOutput(_align(depth, to, other, mask), ui=ui)


def _align(depth: Depth, to: dict[str, Any], other: Depth | None, mask: Tensor | None) -> Depth:
    mask = prepare_mask(mask, frame_size(depth.values))
    if to["to"] == "points":
        return align_to_points(depth, parse_points(setting(to, "to", "points")))
    if to["to"] == "masked surface":
        if mask is None:
            raise ValueError("Nothing is masked. Connect a mask in which the surface is painted.")
        return align_to_mask(depth, mask, setting(to, "to", "metres"))
    if other is None:
        raise ValueError("There is no other depth. Connect the depth map to match.")
    return align_to_reference(depth, other, mask, setting(to, "to", "robust"))


def _check_size(image: Tensor, depth: Depth) -> None:
    """Refuse an image of another size, on which points would be in other places.

    Raises:
        ValueError: the sizes differ.
    """
    (height, width), expected = image.shape[1:3], frame_size(depth.values)
    if (height, width) != expected:
        raise ValueError(
            f"The image is {width}×{height} pixels and the depth {expected[1]}×{expected[0]}. "
            "Connect the image that the depth was estimated from."
        )


def _points() -> io.String.Input:
    return io.String.Input(
        "points",
        multiline=True,
        default="",
        placeholder="320, 240, 2.5",
        tooltip=(
            "Connect the image and click on it, or type one point per line: x and y in pixels from "
            "the image's upper left corner, and the distance in metres. One point sets the scale; "
            "two or more also set the offset; with five or more, some may be wrong."
        ),
    )


def _metres() -> io.Float.Input:
    return io.Float.Input(
        "metres",
        default=2.0,
        min=0.001,
        max=1e6,
        step=0.01,
        tooltip="Distance from the camera to the masked surface in metres.",
    )


def _robust() -> io.Boolean.Input:
    return io.Boolean.Input(
        "robust",
        default=True,
        tooltip="On: up to half of the pixels may disagree. Off: least squares over all of them.",
    )
