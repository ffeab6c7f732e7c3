"""Estimate Depth with Detail: tiles, a painted region, mirroring, panoramas."""

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import Depth
from ...dpt_core.depth.preprocessing import network_size
from ...dpt_core.estimate.detail import Circular, Detail, infer_detail
from .. import host
from ..host.memory import working_room
from ..masks import painted
from ..types import DptDepth, DptModel
from .estimate_depth import channels_first, fov_input, known_fov, to_picture

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
                "Estimates depth of large images in overlapping tiles that are matched to a pass "
                "over the whole image. Also mirrored passes for steadier depth, a closer look at "
                "a painted region, and panoramas and textures without a seam."
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
                DptModel.Input("model", tooltip="The depth model from Load DPT Checkpoint."),
                io.Image.Input("image", tooltip="One image or a batch, of any size."),
                io.Int.Input(
                    "tiles",
                    default=2,
                    min=1,
                    max=16,
                    tooltip=(
                        "Tiles along each side: 2 is four tiles and takes five times as long as "
                        "one pass, 3 is nine tiles. 1 is the whole image only."
                    ),
                ),
                io.Boolean.Input(
                    "flip_average",
                    default=False,
                    tooltip="Average with the mirrored image's depth: steadier, twice the time.",
                ),
                io.Combo.Input(
                    "circular",
                    options=list(CIRCULAR),
                    tooltip=(
                        "Sides that continue at the opposite side: left and right for panoramas, "
                        "all sides for tileable textures."
                    ),
                ),
                io.Int.Input(
                    "resolution",
                    default=0,
                    min=0,
                    max=8192,
                    tooltip=(
                        "The short side in pixels at which the model looks at the image and at "
                        "each tile. 0 is what it was trained for."
                    ),
                ),
                io.Float.Input(
                    "overlap",
                    default=0.25,
                    min=0.05,
                    max=0.5,
                    step=0.05,
                    advanced=True,
                    tooltip="Share of a tile that it has in common with its neighbour.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="A painted region that the model looks at once more, closely.",
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
                        "Draws soft edges of the depth, up to about so many pixels wide, to the "
                        "sharp edges of the image (guided filter). Try 8 to 16 for large images "
                        "in one pass. 0 is off."
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
        model: host.HostedModel,
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
        """Frame by frame, part by part; an interruption takes effect after a part."""
        images = channels_first(image)
        angle = known_fov(fov)
        if angle is not None and circular != "off":
            raise ValueError(
                f"A circular image has no field of view, and {fov:g} degrees was given. Set it to "
                "0 or circular to off."
            )
        progress = host.progress(len(images))
        core = model.model
        size = (images.shape[-2], images.shape[-1])
        inside = network_size(size, core.config.image, resolution or None)
        room = working_room(core.config, size, inside, core.dtype.itemsize)

        def infer(part: Tensor) -> Depth:
            host.stop_if_interrupted()
            # A tile's own angle is smaller; but its scale is that of the whole anyway.
            return core.infer(part, resolution or None, batch_size=1, fov=angle)

        detail = Detail(tiles, overlap, flip_average, CIRCULAR[circular], edge_width)
        with host.on_device(model, room.of(1)):
            depth = infer_detail(infer, images, detail, painted(mask, size), progress)
        return io.NodeOutput(depth, to_picture(depth, core))
