"""Estimate Depth: images → raw depth, and a picture for ControlNets."""

from typing import Any

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import Depth
from ...dpt_core.depth.preprocessing import network_size
from ...dpt_core.estimate.chunks import auto_chunk
from ...dpt_core.estimate.detail import DetailSettings, infer_with_detail
from ...dpt_core.estimate.float16_storage import infer_and_store_float16
from ...dpt_core.progress import Progress
from ..host import models, running
from ..host.memory import depth_working_memory
from ..images import channels_first, frame_size
from ..types import DptDepth
from .control_picture import control_picture
from .inputs import (
    check_fov_input,
    flip_average_input,
    fov_input,
    model_input,
    resolution_input,
)
from .picture_size import size_input, to_target

PICTURE_SIZE = "picture_size"


class EstimateDepth(io.ComfyNode):
    """Depth of every image of a batch, at the images' own size."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTEstimateDepth",
            display_name="Estimate Depth",
            category="image/geometry estimation",
            description=(
                "Estimates how far away every pixel is. Gives a depth map that is ready for a "
                "depth ControlNet (near is white), and the model's raw depth for further work. "
                "Takes single images and whole videos."
            ),
            search_aliases=[
                "depth anything",
                "depth map",
                "depth estimation",
                "controlnet depth",
                "depth preprocessor",
                "midas depth map",
                "zoe depth map",
                "dpt",
                "monocular depth",
                "image to depth",
            ],
            inputs=[
                model_input(),
                io.Image.Input(
                    "image",
                    tooltip="One image or a batch, of any size and aspect ratio. Alpha is ignored.",
                ),
                resolution_input(
                    more=(
                        " Higher values give finer detail but take more time and memory, and "
                        "large shapes may become less stable. The output always has the size of "
                        "the input."
                    )
                ),
                io.Int.Input(
                    "batch_size",
                    default=0,
                    min=0,
                    max=4096,
                    advanced=True,
                    tooltip=(
                        "How many images to compute at a time. 0 takes as many as fit into free "
                        "memory. It does not change the result."
                    ),
                ),
                fov_input(),
                flip_average_input(" Images are computed one at a time.", optional=True),
                io.Combo.Input(
                    "aspect",
                    options=["keep", "stretch"],
                    default="keep",
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "How the model sees an image that is not square. keep: with its own "
                        "aspect ratio, as the models' authors do it (Swin models always see a "
                        "square). stretch: as a square, like MiDaS on Hugging Face and some "
                        "preprocessors; faster for wide images, but less exact."
                    ),
                ),
                size_input(
                    PICTURE_SIZE,
                    "as the image",
                    "Size of the depth picture. Raw depth always has the size of the image.",
                    advanced=True,
                ),
                io.Combo.Input(
                    "raw_precision",
                    options=["float32", "float16"],
                    default="float32",
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "How raw depth is stored. float16 takes half the memory, which saves "
                        "0.9 GB for 500 frames of 720p. The relative error is at most 1/2048: "
                        "invisible in 8-bit pictures and videos, but not in normals and meshes."
                    ),
                ),
            ],
            outputs=[
                DptDepth.Output(
                    display_name="depth",
                    tooltip=(
                        "Raw depth as the model gives it, not rounded or normalised: inverse depth "
                        "(larger is nearer) or depth (larger is farther), which is in metres if "
                        "the model is metric."
                    ),
                ),
                io.Image.Output(
                    display_name="image",
                    tooltip=(
                        "Depth map for ControlNets: near is white, far is black. Each image is "
                        "normalised to the full range, and has the size of the input unless "
                        "picture_size says otherwise."
                    ),
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: models.ManagedDepthModel,
        image: Tensor,
        resolution: int,
        batch_size: int,
        fov: float = 0.0,
        flip_average: bool = False,
        aspect: str = "keep",
        picture_size: dict[str, Any] | None = None,
        raw_precision: str = "float32",
    ) -> io.NodeOutput:
        """Compute chunk by chunk, with progress, until done or interrupted."""
        images = channels_first(image)
        angle = check_fov_input(fov)
        core = model.model
        fit = "stretch" if aspect == "stretch" else None
        size = frame_size(images)
        target = to_target(picture_size, PICTURE_SIZE, size) if picture_size else None
        progress = running.progress(len(images))
        input_size = network_size(size, core.config.image.with_fit(fit), resolution or None)
        memory = depth_working_memory(core.config, size, input_size, core.dtype.itemsize)
        if flip_average:
            batch_size = 1
        limit = auto_chunk(core.device, input_size)
        chunk = min(batch_size or models.largest_chunk(model, limit, memory), len(images))

        def infer(some: Tensor, progress: Progress | None = None) -> Depth:
            running.stop_if_interrupted()
            return core.infer(some, resolution or None, chunk, progress, angle, fit)

        def run(some: Tensor, progress: Progress | None = None) -> Depth:
            if flip_average:
                return infer_with_detail(infer, some, DetailSettings(flip=True), progress=progress)
            return infer(some, progress)

        with models.on_device(model, memory.for_images(chunk)):
            if raw_precision == "float16":
                depth = infer_and_store_float16(run, images, chunk, progress)
            else:
                depth = run(images, progress)
        return io.NodeOutput(depth, control_picture(depth, core, target))
