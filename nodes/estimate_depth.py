"""Estimate Depth: images to raw depth and to a picture for ControlNets."""

import torch
from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ..dpt_core import Depth, DepthModel
from ..dpt_core.depth.detail import Detail, infer_detail
from ..dpt_core.depth.images import network_size
from ..dpt_core.depth.model import auto_chunk
from ..dpt_core.render import control_image
from . import host
from .memory import working_room
from .types import DptDepth, DptModel


class EstimateDepth(io.ComfyNode):
    """Depth for every image of a batch, at the images' own size."""

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
                DptModel.Input("model", tooltip="The depth model from Load DPT Checkpoint."),
                io.Image.Input(
                    "image",
                    tooltip="One image or a batch, of any size and aspect. Alpha is ignored.",
                ),
                io.Int.Input(
                    "resolution",
                    default=0,
                    min=0,
                    max=8192,
                    tooltip=(
                        "The side in pixels at which the model looks at the image (the short "
                        "one for Depth Anything). 0 is what it was trained for, such as 518. "
                        "Higher gives finer detail, takes more time and memory, and may make "
                        "large shapes less steady. The output always has the size of the input."
                    ),
                ),
                io.Int.Input(
                    "batch_size",
                    default=0,
                    min=0,
                    max=4096,
                    advanced=True,
                    tooltip=(
                        "Images to compute at a time. 0 takes as many as fit into free memory. "
                        "It makes no difference to the result."
                    ),
                ),
                io.Float.Input(
                    "fov",
                    display_name="field of view",
                    default=0.0,
                    min=0.0,
                    max=179.0,
                    step=0.1,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "The camera's horizontal field of view in degrees, if you know it (a "
                        "phone: about 65; 0: not known). Depth Anything 3 metric needs it to "
                        "give metres, and 3D nodes use it."
                    ),
                ),
                io.Boolean.Input(
                    "flip_average",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "Average with the mirrored image's depth: steadier, twice the time. "
                        "Images are computed one at a time."
                    ),
                ),
            ],
            outputs=[
                DptDepth.Output(
                    display_name="depth",
                    tooltip=(
                        "Raw depth as the model gives it, not rounded or stretched: inverse depth "
                        "(larger is nearer), or distance, in metres from a metric model."
                    ),
                ),
                io.Image.Output(
                    display_name="image",
                    tooltip=(
                        "Depth map for ControlNets: near is white, far is black, each image "
                        "stretched to the full range, at the size of the input."
                    ),
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: host.HostedModel,
        image: Tensor,
        resolution: int,
        batch_size: int,
        fov: float = 0.0,
        flip_average: bool = False,
    ) -> io.NodeOutput:
        """Compute in chunks, with progress, until done or interrupted."""
        images = channels_first(image)
        progress = host.progress(len(images))
        core = model.model
        size = (images.shape[-2], images.shape[-1])
        inside = network_size(size, core.config.image, resolution or None)
        room = working_room(core.config, size, inside, core.dtype.itemsize)
        if flip_average:
            batch_size = 1
        chunk = batch_size or host.fitting_chunk(model, auto_chunk(core.device, inside), room)
        chunk = min(chunk, max(len(images), 1))
        with host.on_device(model, room.of(chunk)):
            if flip_average:

                def infer(one: Tensor) -> Depth:
                    host.stop_if_interrupted()
                    return core.infer(one, resolution or None, chunk, fov=fov or None)

                depth = infer_detail(infer, images, Detail(flip=True), progress=progress)
            else:
                depth = core.infer(images, resolution or None, chunk, progress, fov or None)
        return io.NodeOutput(depth, to_picture(depth, core))


def channels_first(image: Tensor) -> Tensor:
    """ComfyUI's B×H×W×C (3, or 4 with alpha) → a view B×3×H×W; nothing is copied or changed."""
    return image[..., :3].movedim(-1, 1)


def to_picture(depth: Depth, model: DepthModel) -> Tensor:
    """The ControlNet picture B×H×W×3 of every frame.

    Frame by frame into memory that is taken once, and the three channels are one memory
    seen three times: hundreds of frames cost no more than their grey values.

    Raises:
        ValueError: a frame has NaN or infinite values.
    """
    grey = host.empty_result(tuple(depth.values.shape))
    for number, values in enumerate(depth.values):
        if not torch.isfinite(values.sum()):
            raise ValueError(_not_finite(number, model))
        grey[number] = control_image(Depth(values.unsqueeze(0), depth.kind))[0]
    return grey.unsqueeze(-1).expand(*grey.shape, 3)


def _not_finite(number: int, model: DepthModel) -> str:
    found = f"The depth of image {number} (counted from 0) has NaN or infinite values"
    if model.dtype != torch.float32:
        dtype = str(model.dtype).removeprefix("torch.")
        return f"{found} in {dtype}. Set precision to float32 in Load DPT Checkpoint."
    return f"{found}: {model.inspection.path.name} is damaged. Download the file again."
