"""Segment Everything: masks of everything that the model finds in an image."""

from collections.abc import Callable

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core.sam.crops import MaskRules
from ..host import models, running
from ..host.memory import sam_working_bytes
from ..images import channels_first
from .inputs import sam_input
from .outputs import mask_outputs, to_outputs
from .predict import ImageMasks

OFFICIAL = MaskRules()


class SegmentEverything(io.ComfyNode):
    """Prompt the model with a grid of points, and keep the good masks without repeats."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTSegmentEverything",
            display_name="Segment Everything",
            category="image/detection",
            description=(
                "Finds masks for everything in an image with Segment Anything, without any "
                "prompts. The settings are those of the official automatic mask generator."
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
                sam_input(),
                io.Image.Input("image", tooltip="One image or a batch. Alpha is ignored."),
                io.Int.Input(
                    "points_per_side",
                    default=OFFICIAL.points_per_side,
                    min=1,
                    max=128,
                    tooltip="Rows and columns of the point grid. More points find smaller things.",
                ),
                io.Float.Input(
                    "pred_iou_thresh",
                    default=OFFICIAL.pred_iou_thresh,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "Minimum quality of a mask, as estimated by the model. Lower values keep "
                        "more masks."
                    ),
                ),
                io.Float.Input(
                    "stability_score_thresh",
                    default=OFFICIAL.stability_score_thresh,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "Minimum stability of a mask: how little it changes with its threshold. "
                        "Lower values keep more masks, including those with vague edges."
                    ),
                ),
                io.Int.Input(
                    "min_mask_region_area",
                    default=OFFICIAL.min_mask_region_area,
                    min=0,
                    max=1_000_000,
                    tooltip=(
                        "Holes and stray pieces with fewer pixels than this are removed. 0 "
                        "removes none."
                    ),
                ),
                io.Float.Input(
                    "box_nms_thresh",
                    default=OFFICIAL.box_nms_thresh,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    advanced=True,
                    tooltip=(
                        "Of two masks whose boxes overlap by more than this, only the better one "
                        "is kept."
                    ),
                ),
                io.Int.Input(
                    "crop_n_layers",
                    default=OFFICIAL.crop_n_layers,
                    min=0,
                    max=3,
                    advanced=True,
                    tooltip=(
                        "Also search crops of the image: 1 adds 2×2 crops, 2 another 4×4. This "
                        "finds small things, but each crop takes as long as the whole image."
                    ),
                ),
                io.Int.Input(
                    "points_per_batch",
                    default=OFFICIAL.points_per_batch,
                    min=1,
                    max=1024,
                    advanced=True,
                    tooltip=(
                        "Points to run at a time. Fewer need less memory; the result is the same."
                    ),
                ),
            ],
            outputs=mask_outputs(
                "The masks of the first image, best first, then those of the next. An image in "
                "which nothing is found has one empty mask."
            ),
        )

    @classmethod
    def execute(
        cls,
        sam: models.ManagedSam,
        image: Tensor,
        points_per_side: int,
        pred_iou_thresh: float,
        stability_score_thresh: float,
        min_mask_region_area: int,
        box_nms_thresh: float = OFFICIAL.box_nms_thresh,
        crop_n_layers: int = OFFICIAL.crop_n_layers,
        points_per_batch: int = OFFICIAL.points_per_batch,
    ) -> io.NodeOutput:
        """Segment image by image, with progress after each batch of points."""
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
        progress = running.progress(len(images))
        core = sam.model
        working_bytes = sam_working_bytes(core.config, core.dtype.itemsize, points_per_batch)
        results = []
        with models.on_device(sam, working_bytes):
            for number in range(len(images)):
                one = images[number : number + 1]
                (masks,) = core.generate(one, rules, _within(progress, number, len(images)))
                results.append(ImageMasks(masks.masks, masks.iou.tolist()))
        return io.NodeOutput(*to_outputs(image, results))


def _within(
    progress: Callable[[int, int], None], number: int, count: int
) -> Callable[[int, int], None]:
    """Report progress within image `number` of `count` as progress of the whole batch."""
    return lambda done, total: progress(number * total + done, count * total)
