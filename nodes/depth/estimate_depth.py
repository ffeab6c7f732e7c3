"""Estimate Depth: images to raw depth and to a picture for ControlNets."""

from typing import Any

import torch
from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import Depth, DepthModel
from ...dpt_core.depth.preprocessing import network_size
from ...dpt_core.estimate.chunks import Progress, auto_chunk
from ...dpt_core.estimate.detail import Detail, infer_detail
from ...dpt_core.estimate.float16 import infer_float16
from ...dpt_core.geometry.camera import check_fov
from ...dpt_core.render import Target, control_image
from ...dpt_core.render.sizes import resize
from .. import host
from ..host.memory import working_room
from ..types import DptDepth, DptModel
from .picture_size import size_input, to_target

SIZE = "picture_size"


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
                fov_input(),
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
                io.Combo.Input(
                    "aspect",
                    options=["keep", "stretch"],
                    default="keep",
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "How the model sees an image that is not square. keep: in its own shape, "
                        "as the models' authors have it (Swin models always see a square). "
                        "stretch: as a square, as MiDaS from Hugging Face and some preprocessors "
                        "do; quicker for wide images, and less exact."
                    ),
                ),
                size_input(
                    SIZE,
                    "as the image",
                    "Size of the depth picture; raw depth always has that of the image.",
                    advanced=True,
                ),
                io.Combo.Input(
                    "raw_precision",
                    options=["float32", "float16"],
                    default="float32",
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "How raw depth is kept. float16 takes half the memory, 0.9 GB less for "
                        "500 frames of 720p, and is off by at most 1/2048 of each value: not "
                        "seen in 8-bit pictures and videos, but in normals and meshes."
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
                        "stretched to the full range, at the size of the input unless "
                        "picture_size says another."
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
        aspect: str = "keep",
        picture_size: dict[str, Any] | None = None,
        raw_precision: str = "float32",
    ) -> io.NodeOutput:
        """Compute in chunks, with progress, until done or interrupted."""
        images = channels_first(image)
        angle = known_fov(fov)
        core = model.model
        fit = "stretch" if aspect == "stretch" else None
        size = (images.shape[-2], images.shape[-1])
        target = to_target(picture_size, SIZE, size) if picture_size else None
        progress = host.progress(len(images))
        rule = core.config.image.with_fit(fit)
        inside = network_size(size, rule, resolution or None)
        room = working_room(core.config, size, inside, core.dtype.itemsize)
        if flip_average:
            batch_size = 1
        chunk = batch_size or host.fitting_chunk(model, auto_chunk(core.device, inside), room)
        chunk = min(chunk, len(images))

        def infer(some: Tensor, progress: Progress | None = None) -> Depth:
            host.stop_if_interrupted()
            return core.infer(some, resolution or None, chunk, progress, angle, fit)

        def run(some: Tensor, progress: Progress | None = None) -> Depth:
            if flip_average:
                return infer_detail(infer, some, Detail(flip=True), progress=progress)
            return infer(some, progress)

        with host.on_device(model, room.of(chunk)):
            if raw_precision == "float16":
                depth = infer_float16(run, images, chunk, progress)
            else:
                depth = run(images, progress)
        return io.NodeOutput(depth, to_picture(depth, core, target))


def fov_input(exception: str = "") -> io.Float.Input:
    """The camera's field of view; `exception` ends the tooltip."""
    return io.Float.Input(
        "fov",
        display_name="field of view",
        default=0.0,
        min=0.0,
        max=179.0,
        step=0.1,
        optional=True,
        advanced=True,
        tooltip=(
            "The camera's horizontal field of view in degrees, if you know it (a phone: about 65; "
            "0: not known). Depth Anything 3 metric needs it to give metres, and Depth to Geometry "
            "uses it with camera: of the depth."
            f"{exception}"
        ),
    )


def known_fov(fov: float) -> float | None:
    """What the input says; None: not known.

    Raises:
        ValueError: an angle that no camera has, said before anything is computed.
    """
    if not fov:
        return None
    check_fov(fov)
    return fov


def channels_first(image: Tensor) -> Tensor:
    """ComfyUI's B×H×W×C (3, or 4 with alpha) → a view B×3×H×W; nothing is copied or changed.

    Raises:
        ValueError: there is no image in it.
    """
    if not len(image):
        raise ValueError("There are no images in the batch. Connect at least one.")
    return image[..., :3].movedim(-1, 1)


def to_picture(depth: Depth, model: DepthModel, target: Target | None = None) -> Tensor:
    """The ControlNet picture B×H×W×3 of every frame, at the depth's size or a target's.

    Stretched to the full range first and then resized, as preprocessors do. Frame by frame into
    memory that is taken once, and the three channels are one memory seen three times: hundreds
    of frames cost no more than their grey values.

    Raises:
        ValueError: a frame has NaN or infinite values.
    """
    count, *size = depth.values.shape
    grey = host.empty_result((count, *(target.size if target else size)))
    for number, values in enumerate(depth.values):
        if not torch.isfinite(values.sum(dtype=torch.float32)):
            raise ValueError(_not_finite(number, model))
        picture = control_image(Depth(values.unsqueeze(0), depth.kind))[0]
        grey[number] = picture if target is None else resize(picture, target)
    return grey.unsqueeze(-1).expand(*grey.shape, 3)


def _not_finite(number: int, model: DepthModel) -> str:
    found = f"The depth of image {number} (counted from 0) has NaN or infinite values"
    if model.dtype != torch.float32:
        dtype = str(model.dtype).removeprefix("torch.")
        return f"{found} in {dtype}. Set precision to float32 in Load DPT Checkpoint."
    return f"{found}: {model.inspection.path.name} is damaged. Download the file again."
