"""Depth Mask: a range of raw depth → a mask."""

from typing import Any

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from ...dpt_core import Depth, depth_mask
from ..dynamic_combo import setting
from ..host import running
from .inputs import depth_input


class DepthMask(io.ComfyNode):
    """A mask of a range of depth, with soft edges. It needs no model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTDepthMask",
            display_name="Depth Mask",
            category="image/geometry estimation",
            description=(
                "Makes a mask of everything within a range of depth: the foreground, the "
                "background, or a slice in between, with soft edges if you want them. Sky and "
                "pixels without valid depth are never part of it."
            ),
            search_aliases=[
                "depth anything",
                "mask from depth",
                "foreground mask",
                "background mask",
                "depth range",
                "depth threshold",
                "depth slice",
            ],
            inputs=[
                depth_input(),
                io.DynamicCombo.Input(
                    "unit",
                    options=[
                        io.DynamicCombo.Option("percentile", _range(100.0, 1.0, 0, 30, 5)),
                        io.DynamicCombo.Option("metres", _range(100_000.0, 0.1, 0, 3, 0.2)),
                    ],
                    tooltip=(
                        "The unit of the range. percentile: of each image's valid pixels, from 0 "
                        "(nearest) to 100 (farthest), for any model. metres: for metric depth."
                    ),
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="mask",
                    tooltip=(
                        "One mask for each image: 1 within the range, falling to 0 across the "
                        "soft edges; 0 in the sky and where the depth is not valid."
                    ),
                )
            ],
        )

    @classmethod
    def execute(cls, depth: Depth, unit: dict[str, Any]) -> io.NodeOutput:
        """Make one mask for each image."""
        near, far, soft = (setting(unit, "unit", name) for name in ("near", "far", "soft"))
        mask = depth_mask(depth, near, far, soft, unit["unit"])
        result = running.empty_result(tuple(mask.shape))
        result.copy_(mask)
        return io.NodeOutput(result)


def _range(maximum: float, step: float, near: float, far: float, soft: float) -> list[io.Input]:
    """The inputs near, far and soft, with these defaults."""

    def number(name: str, default: float, tooltip: str) -> io.Float.Input:
        return io.Float.Input(
            name, default=float(default), min=0.0, max=maximum, step=step, tooltip=tooltip
        )

    return [
        number("near", near, "Where the range begins."),
        number("far", far, "Where the range ends. It must not be less than near."),
        number("soft", soft, "Width of the soft edges outside the range. 0: hard edges."),
    ]
