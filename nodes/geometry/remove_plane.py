"""Remove Plane: the height of things above a floor, or in front of a wall."""

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import Depth
from ...dpt_core.geometry.plane import remove_plane
from ..depth.inputs import depth_input
from ..host import running
from ..images import frame_size, prepare_mask
from ..types import DptDepth


class RemovePlane(io.ComfyNode):
    """Depth without the plane that dominates it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTRemovePlane",
            display_name="Remove Plane",
            category="image/geometry estimation",
            description=(
                "Removes the plane that dominates the depth, such as a floor, a table or a wall. "
                "What remains is how far things stand out from it."
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
                depth_input(),
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
                io.Mask.Output(display_name="plane", tooltip="1 where the plane is visible."),
            ],
        )

    @classmethod
    def execute(cls, depth: Depth, mask: Tensor | None = None) -> io.NodeOutput:
        """Fit a plane to each frame and subtract it."""
        running.stop_if_interrupted()
        flat = remove_plane(depth, prepare_mask(mask, frame_size(depth.values)))
        plane = running.empty_result(tuple(flat.plane.shape))
        plane.copy_(flat.plane)
        return io.NodeOutput(flat.depth, plane)
