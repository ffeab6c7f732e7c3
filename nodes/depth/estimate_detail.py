"""Estimate Depth with Detail: tiles, a painted region, mirroring, panoramas."""

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import Depth
from ...dpt_core.depth.preprocessing import network_size
from ...dpt_core.estimate.detail import Circular, DetailSettings, infer_with_detail
from ..host import models, running
from ..host.memory import depth_working_memory
from ..images import channels_first, frame_size, prepare_mask
from ..types import DptDepth
from .control_picture import control_picture
from .inputs import (
    check_fov_input,
    flip_average_input,
    fov_input,
    model_input,
    resolution_input,
)

CIRCULAR: dict[str, Circular] = {"off": "off", "left and right": "horizontal", "all sides": "both"}


class EstimateDetail(io.ComfyNode):
    """Depth of large images, finer than the model sees in one pass."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTEstimateDetail",
            display_name="Estimate Depth with Detail",
            category="image/geometry estimation",
            description=(
                "Estimates the depth of large images in overlapping tiles, which are matched to a "
                "pass over the whole image. It can also average with the mirrored image, take a "
                "closer look at a painted region, and keep panoramas and textures seamless."
            ),
            search_aliases=[
                "depth anything",
                "tiled depth",
                "high resolution depth",
                "4k depth",
                "depth panorama",
                "depth 360",
                "seamless depth",
                "depth tta",
            ],
            inputs=[
                model_input(),
                io.Image.Input("image", tooltip="One image or a batch, of any size."),
                io.Int.Input(
                    "tiles",
                    default=2,
                    min=1,
                    max=16,
                    tooltip=(
                        "Tiles along each side: 2 makes four tiles, which take five times as long "
                        "as a single pass; 3 makes nine. 1 is the whole image only."
                    ),
                ),
                flip_average_input(),
                io.Combo.Input(
                    "circular",
                    options=list(CIRCULAR),
                    tooltip=(
                        "Sides that wrap around to the opposite side: left and right for "
                        "panoramas, all sides for tileable textures."
                    ),
                ),
                resolution_input(more=" The same applies to each tile."),
                io.Float.Input(
                    "overlap",
                    default=0.25,
                    min=0.05,
                    max=0.5,
                    step=0.05,
                    advanced=True,
                    tooltip="The fraction of a tile that overlaps with its neighbour.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="A painted region that gets one more, closer look.",
                ),
                fov_input(" Not for circular images."),
                io.Int.Input(
                    "edge_width",
                    default=0,
                    min=0,
                    max=256,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "Snaps soft depth edges, up to about this many pixels wide, to the sharp "
                        "edges of the image (guided filter). Try 8 to 16 for large images in one "
                        "pass. 0 is off."
                    ),
                ),
            ],
            outputs=[
                DptDepth.Output(
                    display_name="depth", tooltip="Raw depth at the size of the image."
                ),
                io.Image.Output(
                    display_name="image",
                    tooltip="Depth map for ControlNets: near is white, far is black.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: models.ManagedDepthModel,
        image: Tensor,
        tiles: int,
        flip_average: bool,
        circular: str,
        resolution: int,
        overlap: float,
        mask: Tensor | None = None,
        fov: float = 0.0,
        edge_width: int = 0,
    ) -> io.NodeOutput:
        """Compute frame by frame and tile by tile; Cancel takes effect between tiles."""
        images = channels_first(image)
        angle = check_fov_input(fov)
        if angle is not None and circular != "off":
            raise ValueError(
                f"A circular image has no field of view, but {fov:g} degrees was given. Set field "
                "of view to 0 or circular to off."
            )
        progress = running.progress(len(images))
        core = model.model
        size = frame_size(images)
        input_size = network_size(size, core.config.image, resolution or None)
        memory = depth_working_memory(core.config, size, input_size, core.dtype.itemsize)

        def infer(tile: Tensor) -> Depth:
            running.stop_if_interrupted()
            # A tile spans a smaller angle, but it is matched to the scale of the whole anyway.
            return core.infer(tile, resolution or None, batch_size=1, fov=angle)

        detail = DetailSettings(tiles, overlap, flip_average, CIRCULAR[circular], edge_width)
        with models.on_device(model, memory.for_images(1)):
            depth = infer_with_detail(infer, images, detail, prepare_mask(mask, size), progress)
        return io.NodeOutput(depth, control_picture(depth, core))
