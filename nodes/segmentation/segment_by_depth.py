"""Segment by Depth: objects chosen by their depth, and cut out by Segment Anything."""

import torch
from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import Depth, LayerPrompts, layer_prompts
from ..host import models, running
from ..host.memory import sam_working_bytes
from ..images import channels_first, format_shape, frame_size
from ..types import DptDepth
from .inputs import sam_input
from .outputs import mask_outputs, to_outputs
from .predict import ImageMasks, predict
from .prompts import FOREGROUND, Box, Point, Prompt

NEAREST, ALL, LAYERS = "nearest object", "all objects", "one mask a layer"


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
                "Finds objects by how far away they are, and cuts them out precisely with Segment "
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
                sam_input(),
                io.Image.Input("image", tooltip="The image or batch that the depth belongs to."),
                DptDepth.Input("depth", tooltip="Raw depth of the same images, at their size."),
                io.Combo.Input(
                    "find",
                    options=[NEAREST, ALL, LAYERS],
                    tooltip=(
                        "The nearest object only; all objects, nearest first; or one mask for "
                        "each layer, nearest first, which is empty if the layer has no object."
                    ),
                ),
                io.Int.Input(
                    "layers",
                    default=3,
                    min=2,
                    max=16,
                    tooltip=(
                        "How many layers to cut the depth into. It is cut where few pixels lie. "
                        "Sky and pixels without valid depth belong to no layer."
                    ),
                ),
                io.Float.Input(
                    "least_area",
                    default=0.005,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    tooltip=(
                        "Anything that covers a smaller fraction of the image is ignored: 0.01 is "
                        "1 %."
                    ),
                ),
            ],
            outputs=mask_outputs(
                "The masks of the first image, nearest first, then those of the next.",
                " For a layer, the lowest of its objects; 0 if it has none.",
            ),
        )

    @classmethod
    def execute(
        cls,
        sam: models.ManagedSam,
        image: Tensor,
        depth: Depth,
        find: str,
        layers: int,
        least_area: float,
    ) -> io.NodeOutput:
        """Segment image by image."""
        images = channels_first(image)
        expected = (len(images), *frame_size(images))
        if depth.values.shape != expected:
            raise ValueError(
                f"The depth is {format_shape(depth.values.shape)} and the image "
                f"{format_shape(expected)} (images × height × width). Connect the image that the "
                "depth was estimated from."
            )
        prompts = layer_prompts(depth, layers, least_area)
        progress = running.progress(len(images))
        working_bytes = sam_working_bytes(sam.model.config, sam.model.dtype.itemsize)
        results = []
        with models.on_device(sam, working_bytes):
            for number, frame in enumerate(images):
                results.append(_segment_image(sam, frame, prompts[number], find, layers))
                progress(number + 1, len(images))
        return io.NodeOutput(*to_outputs(image, results))


def _segment_image(
    sam: models.ManagedSam, image: Tensor, by_layer: LayerPrompts, find: str, layers: int
) -> ImageMasks:
    prompts = _to_prompts(by_layer)
    if find == NEAREST:
        prompts = prompts[:1]
    objects = predict(sam, image, prompts, "single")
    if find != LAYERS:
        return objects
    masks = torch.zeros(layers, *image.shape[-2:], dtype=torch.bool)
    quality = [0.0] * layers
    for layer in set(by_layer.layers.tolist()):
        numbers = (by_layer.layers == layer).nonzero().flatten()
        members = ImageMasks(objects.masks[numbers], [objects.iou[number] for number in numbers])
        (masks[layer],), (quality[layer],) = members.merged()
    return ImageMasks(masks, quality)


def _to_prompts(by_layer: LayerPrompts) -> list[Prompt]:
    prompts = []
    for (x, y), (x0, y0, x1, y1) in zip(
        by_layer.points[:, 0].tolist(), by_layer.boxes.tolist(), strict=True
    ):
        prompts.append(Prompt((Point(x, y, FOREGROUND),), Box(x0, y0, x1 - x0, y1 - y0)))
    return prompts
