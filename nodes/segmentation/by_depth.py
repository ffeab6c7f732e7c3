"""Depth and masks together: Depth Mask and Segment by Depth."""

from typing import Any

import torch
from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import Depth
from ...dpt_core.sam.by_depth import LayerPrompts, depth_mask, layer_prompts
from .. import host
from ..choices import setting
from ..depth.estimate_depth import channels_first
from ..types import DptDepth, DptSam
from .prompts import FOREGROUND, Box, Point, Prompt
from .run import Found, merged, segment, to_outputs, working_bytes

NEAREST, ALL, LAYERS = "nearest object", "all objects", "one mask a layer"


class DepthMask(io.ComfyNode):
    """A mask of a range of depth, with soft edges; no model is needed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTDepthMask",
            display_name="Depth Mask",
            category="image/geometry estimation",
            description=(
                "Makes a mask of all that lies within a range of depth: the foreground, the "
                "background, or a slice in between, with soft edges where you want them."
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
                DptDepth.Input("depth", tooltip="Raw depth from Estimate Depth."),
                io.DynamicCombo.Input(
                    "unit",
                    options=[
                        io.DynamicCombo.Option("percentile", _range(100.0, 1.0, 0, 30, 5)),
                        io.DynamicCombo.Option("metres", _range(100_000.0, 0.1, 0, 3, 0.2)),
                    ],
                    tooltip=(
                        "What the range is in. percentile: of each image's pixels, 0 the nearest, "
                        "100 the farthest, for any model. metres: for metric depth."
                    ),
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="mask",
                    tooltip="1 within the range, falling to 0 over the soft edges; one an image.",
                )
            ],
        )

    @classmethod
    def execute(cls, depth: Depth, unit: dict[str, Any]) -> io.NodeOutput:
        """One mask for each image."""
        near, far, soft = (setting(unit, "unit", name) for name in ("near", "far", "soft"))
        mask = depth_mask(depth, near, far, soft, unit["unit"])
        result = host.empty_result(tuple(mask.shape))
        result.copy_(mask)
        return io.NodeOutput(result)


class SegmentByDepth(io.ComfyNode):
    """Segment Anything, prompted by the depth."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTSegmentByDepth",
            display_name="Segment by Depth",
            category="image/detection",
            description=(
                "Finds objects by how far away they are, and cuts them out exactly with Segment "
                "Anything: the nearest one, all of them, or one mask for each layer of depth."
            ),
            search_aliases=[
                "segment anything",
                "sam",
                "depth anything",
                "nearest object",
                "foreground mask",
                "depth layers",
                "layer separation",
                "parallax layers",
            ],
            inputs=[
                DptSam.Input("sam", tooltip="The model from Load SAM Checkpoint."),
                io.Image.Input("image", tooltip="The image, or the batch, that the depth is of."),
                DptDepth.Input("depth", tooltip="Raw depth of the same images, at their size."),
                io.Combo.Input(
                    "find",
                    options=[NEAREST, ALL, LAYERS],
                    tooltip=(
                        "The nearest object alone; all objects, the nearest first; or one mask "
                        "for each layer, the nearest first, empty where a layer has no object."
                    ),
                ),
                io.Int.Input(
                    "layers",
                    default=3,
                    min=2,
                    max=16,
                    tooltip="How many layers the depth is cut into, where it leaves most room.",
                ),
                io.Float.Input(
                    "least_area",
                    default=0.005,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    tooltip="What takes a smaller share of the image is no object: 0.01 is 1 %.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="masks",
                    tooltip="The masks of the first image, the nearest first; then the next.",
                ),
                io.Float.Output(
                    display_name="iou",
                    is_output_list=True,
                    tooltip=(
                        "For each mask, how well the model thinks that it fits: about 0 to 1. "
                        "For a layer the least of its objects, 0 where it has none."
                    ),
                ),
                io.Image.Output(
                    display_name="preview", tooltip="The image with the masks and their outlines."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        sam: host.HostedSam,
        image: Tensor,
        depth: Depth,
        find: str,
        layers: int,
        least_area: float,
    ) -> io.NodeOutput:
        """Image after image."""
        images = channels_first(image)
        if depth.values.shape != (len(images), *images.shape[-2:]):
            raise ValueError(
                f"The depth is of {_text(depth.values.shape)} and the image of "
                f"{_text((len(images), *images.shape[-2:]))} (images, height, width); give the "
                "image that the depth was estimated from."
            )
        wanted = layer_prompts(depth, layers, least_area)
        progress = host.progress(len(images))
        found = []
        with host.on_device(sam, working_bytes(sam.model.config, sam.model.dtype.itemsize)):
            for number, frame in enumerate(images):
                found.append(_segment_image(sam, frame, wanted[number], find, layers))
                progress(number + 1, len(images))
        return io.NodeOutput(*to_outputs(image, found))


def _segment_image(
    sam: host.HostedSam, image: Tensor, wanted: LayerPrompts, find: str, layers: int
) -> Found:
    prompts = _to_prompts(wanted)
    if find == NEAREST:
        prompts = prompts[:1]
    found = segment(sam, image, prompts, "single")
    if find != LAYERS:
        return found
    masks = torch.zeros(layers, *image.shape[-2:], dtype=torch.bool)
    quality = [0.0] * layers
    for layer in set(wanted.layers.tolist()):
        numbers = (wanted.layers == layer).nonzero().flatten()
        one = merged(Found(found.masks[numbers], [found.iou[number] for number in numbers]))
        masks[layer], quality[layer] = one.masks[0], one.iou[0]
    return Found(masks, quality)


def _to_prompts(wanted: LayerPrompts) -> list[Prompt]:
    prompts = []
    for (x, y), (x0, y0, x1, y1) in zip(
        wanted.points[:, 0].tolist(), wanted.boxes.tolist(), strict=True
    ):
        prompts.append(Prompt((Point(x, y, FOREGROUND),), Box(x0, y0, x1 - x0, y1 - y0)))
    return prompts


def _range(most: float, step: float, near: float, far: float, soft: float) -> list[io.Input]:
    def number(name: str, default: float, tooltip: str) -> io.Float.Input:
        default = float(default)
        return io.Float.Input(name, default=default, min=0.0, max=most, step=step, tooltip=tooltip)

    return [
        number("near", near, "Where the range begins."),
        number("far", far, "Where it ends; not less than near."),
        number("soft", soft, "How wide the mask fades out before and behind it. 0: hard edges."),
    ]


def _text(shape: Any) -> str:
    return "×".join(str(side) for side in shape)
