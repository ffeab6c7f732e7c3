"""Geometry to Depth: ComfyUI's geometry → raw depth."""

from typing import Any

import torch
from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import Depth
from ..types import Da3Geometry, DptDepth, MogeGeometry


class GeometryToDepth(io.ComfyNode):
    """The opposite direction, for what ComfyUI's own models estimate."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTGeometryToDepth",
            display_name="Geometry to Depth",
            category="image/geometry estimation",
            description=(
                "Extracts the depth from the geometry that ComfyUI's MoGe and Depth Anything 3 "
                "nodes give, for use with Render Depth, Align Depth and the other depth nodes."
            ),
            search_aliases=["depth anything", "moge to depth", "depth anything 3 to depth", "da3"],
            inputs=[
                io.MultiType.Input(
                    "geometry",
                    types=[MogeGeometry, Da3Geometry],
                    tooltip="Geometry from a MoGe or Depth Anything 3 node.",
                ),
                io.Combo.Input(
                    "unit",
                    options=["no unit", "metres"],
                    tooltip=(
                        "metres if the model gives them (MoGe 2, metric Depth Anything 3). The "
                        "geometry itself does not say."
                    ),
                ),
            ],
            outputs=[
                DptDepth.Output(
                    display_name="depth",
                    tooltip=(
                        "Raw depth (larger is farther), with the camera, the sky and the valid "
                        "pixels where the geometry has them."
                    ),
                )
            ],
        )

    @classmethod
    def execute(cls, geometry: dict[str, Any], unit: str) -> io.NodeOutput:
        """Copy the depth, and mark pixels that are not finite as not valid."""
        if "depth" not in geometry:
            raise ValueError(
                "This geometry contains no depth. Connect the geometry of a MoGe or Depth Anything "
                "3 inference node."
            )
        values = geometry["depth"].float().cpu()
        valid = torch.isfinite(values) & (values > 0)
        if "mask" in geometry:
            valid &= geometry["mask"].bool().cpu()
        depth = Depth(
            values=torch.where(valid, values, 0.0),
            kind="metres" if unit == "metres" else "depth",
            sky=geometry["sky"].float().cpu() if "sky" in geometry else None,
            valid=None if valid.all() else valid,
            intrinsics=_relative_intrinsics(geometry),
        )
        return io.NodeOutput(depth)


def _relative_intrinsics(geometry: dict[str, Any]) -> Tensor | None:
    """B×3×3 in units of the image's size, as MoGe has them; Depth Anything 3 uses pixels."""
    if "intrinsics" not in geometry:
        return None
    intrinsics = geometry["intrinsics"].float().cpu()
    if "mode" not in geometry:  # DA3_GEOMETRY always has a mode
        return intrinsics
    height, width = geometry["depth"].shape[-2:]
    size = intrinsics.new_tensor([[width], [height], [1.0]])
    relative = intrinsics.reshape(-1, 3, 3) / size
    # There the centre of the first pixel is at 0, here at half a pixel.
    relative[:, 0, 2] += 0.5 / width
    relative[:, 1, 2] += 0.5 / height
    return relative
