"""Segment Everything: masks of all that the model finds in an image."""

from collections.abc import Callable

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core.sam.automatic import MaskRules
from .. import host
from ..depth.estimate_depth import channels_first
from ..types import DptSam
from .run import Found, to_outputs, working_bytes

OFFICIAL = MaskRules()


class SegmentEverything(io.ComfyNode):
    """A grid of points, each asked for its object; good masks are kept, each once."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTSegmentEverything",
            display_name="Segment Everything",
            category="image/detection",
            description=(
                "Finds the masks of everything in an image with Segment Anything, without a "
                "prompt. The settings are those of the official automatic mask generator."
            ),
            search_aliases=[
                "segment anything",
                "sam",
                "automatic masks",
                "auto mask",
                "mask everything",
                "segmentation map",
            ],
            inputs=[
                DptSam.Input("sam", tooltip="The model from Load SAM Checkpoint."),
                io.Image.Input("image", tooltip="One image or a batch. Alpha is ignored."),
                io.Int.Input(
                    "points_per_side",
                    default=OFFICIAL.points_per_side,
                    min=1,
                    max=128,
                    tooltip="Rows and columns of the grid of points. More finds smaller things.",
                ),
                io.Float.Input(
                    "pred_iou_thresh",
                    default=OFFICIAL.pred_iou_thresh,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="The least quality, as the model estimates it. Lower keeps more masks.",
                ),
                io.Float.Input(
                    "stability_score_thresh",
                    default=OFFICIAL.stability_score_thresh,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "How little a mask must change when its threshold is moved. Lower keeps "
                        "more masks, those with vague edges among them."
                    ),
                ),
                io.Int.Input(
                    "min_mask_region_area",
                    default=OFFICIAL.min_mask_region_area,
                    min=0,
                    max=1_000_000,
                    tooltip="Holes and loose parts of fewer pixels are removed. 0: none.",
                ),
                io.Float.Input(
                    "box_nms_thresh",
                    default=OFFICIAL.box_nms_thresh,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    advanced=True,
                    tooltip=(
                        "Two masks whose boxes overlap by more than this are the same thing, and "
                        "the better one is kept."
                    ),
                ),
                io.Int.Input(
                    "crop_n_layers",
                    default=OFFICIAL.crop_n_layers,
                    min=0,
                    max=3,
                    advanced=True,
                    tooltip=(
                        "Look at pieces of the image as well: 1 adds 2×2 pieces, 2 another 4×4. "
                        "Finds small things, and takes as many times longer."
                    ),
                ),
                io.Int.Input(
                    "points_per_batch",
                    default=OFFICIAL.points_per_batch,
                    min=1,
                    max=1024,
                    advanced=True,
                    tooltip="Points at a time. Fewer need less memory; the result is the same.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="masks",
                    tooltip=(
                        "The masks of the first image, the best first, then those of the next. "
                        "An image in which nothing is found has one empty mask."
                    ),
                ),
                io.Float.Output(
                    display_name="iou",
                    is_output_list=True,
                    tooltip="For each mask, how well the model thinks that it fits: about 0 to 1.",
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
        points_per_side: int,
        pred_iou_thresh: float,
        stability_score_thresh: float,
        min_mask_region_area: int,
        box_nms_thresh: float = OFFICIAL.box_nms_thresh,
        crop_n_layers: int = OFFICIAL.crop_n_layers,
        points_per_batch: int = OFFICIAL.points_per_batch,
    ) -> io.NodeOutput:
        """Image after image, with progress for each batch of points."""
        rules = MaskRules(
            points_per_side=points_per_side,
            points_per_batch=points_per_batch,
            pred_iou_thresh=pred_iou_thresh,
            stability_score_thresh=stability_score_thresh,
            box_nms_thresh=box_nms_thresh,
            crop_n_layers=crop_n_layers,
            min_mask_region_area=min_mask_region_area,
        )
        images = channels_first(image)
        progress = host.progress(len(images))
        core = sam.model
        room = working_bytes(core.config, core.dtype.itemsize, points_per_batch)
        found = []
        with host.on_device(sam, room):
            for number in range(len(images)):
                one = images[number : number + 1]
                (masks,) = core.generate(one, rules, _part(progress, number, len(images)))
                found.append(Found(masks.masks, masks.iou.tolist()))
        return io.NodeOutput(*to_outputs(image, found))


def _part(
    progress: Callable[[int, int], None], number: int, count: int
) -> Callable[[int, int], None]:
    """Progress within image `number` of `count` as progress of the whole."""
    return lambda done, total: progress(number * total + done, count * total)
