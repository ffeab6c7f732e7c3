"""Segment (points and boxes): masks of what is marked on the image."""

from typing import Any

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from .. import host
from ..depth.estimate_depth import channels_first
from ..types import DptSam
from .prompts import (
    BACKGROUND,
    FOREGROUND,
    Marks,
    cut_to_image,
    frame_boxes,
    parse_marks,
    parse_places,
    to_prompts,
)
from .run import CANDIDATES, editor_pictures, merged, segment, to_outputs, working_bytes

EACH_POINT = "an object each"


class Segment(io.ComfyNode):
    """Masks from points and boxes, set by hand on the node or given by other nodes."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTSegment",
            display_name="Segment (points and boxes)",
            category="image/detection",
            description=(
                "Cuts out what you mark, with Segment Anything. Click on the picture for a point "
                "on the object, shift-click for a point that does not belong to it, drag for a "
                "box around it."
            ),
            search_aliases=[
                "segment anything",
                "sam",
                "mask from points",
                "click to mask",
                "point editor",
                "cut out object",
                "box prompt",
            ],
            inputs=[
                DptSam.Input("sam", tooltip="The model from Load SAM Checkpoint."),
                io.Image.Input(
                    "image",
                    tooltip=(
                        "One image, or a batch: the same marks are used on each. Alpha is ignored."
                    ),
                ),
                io.String.Input(
                    "prompts",
                    default='{"points":[],"boxes":[]}',
                    tooltip=(
                        "What the editor on the node has set, as JSON in pixels of the image: "
                        '{"points": [{"x", "y", "label"}], "boxes": [{"x", "y", "width", '
                        '"height"}]}. Label 1 is the object, 0 is not.'
                    ),
                ),
                io.Combo.Input(
                    "points_mark",
                    options=["one object", EACH_POINT],
                    default="one object",
                    tooltip=(
                        "Whether all points outside of boxes mark one object together, or each "
                        "marks its own. A box is always one object, with the points inside it."
                    ),
                ),
                io.Combo.Input(
                    "candidates",
                    options=list(CANDIDATES),
                    default="auto",
                    tooltip=(
                        "The model can give three masks: whole, part and part of the part. auto "
                        "takes the best of them where there is a single point, which may mean any, "
                        "and asks for one mask where boxes or more points make it clear."
                    ),
                ),
                io.Boolean.Input(
                    "merge",
                    default=False,
                    tooltip="Give one mask for each image, which has all objects in it.",
                ),
                io.BoundingBox.Input(
                    "bboxes",
                    optional=True,
                    force_input=True,
                    tooltip=(
                        "More boxes, from a detector for example: one, a list for all images, or "
                        "a list for each image."
                    ),
                ),
                io.String.Input(
                    "positive_coords",
                    optional=True,
                    force_input=True,
                    tooltip='More points on the object: JSON [{"x": 10, "y": 20}] in pixels.',
                ),
                io.String.Input(
                    "negative_coords",
                    optional=True,
                    force_input=True,
                    tooltip='More points that are not the object: JSON [{"x": 10, "y": 20}].',
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="masks",
                    tooltip=(
                        "One mask for each object, those of boxes first; all of the first image, "
                        "then the next. Empty where nothing is marked."
                    ),
                ),
                io.Float.Output(
                    display_name="iou",
                    is_output_list=True,
                    tooltip=(
                        "For each mask, how well the model thinks that it fits: about 0 to 1. Of "
                        "merged masks the least."
                    ),
                ),
                io.Image.Output(
                    display_name="preview", tooltip="The image with the masks and their outlines."
                ),
            ],
            # Without this the editor's pictures are not sent again when the run is cached.
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, prompts: str | None) -> bool | str:
        """Answer text that cannot be read before anything runs; None is a linked input."""
        try:
            parse_marks(prompts or "")
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def execute(
        cls,
        sam: host.HostedSam,
        image: Tensor,
        prompts: str,
        points_mark: str,
        candidates: str,
        merge: bool,
        bboxes: Any = None,
        positive_coords: str | None = None,
        negative_coords: str | None = None,
    ) -> io.NodeOutput:
        """Segment image after image; what cannot be used is said before the work begins."""
        typed = parse_marks(prompts)
        points = (
            *typed.points,
            *parse_places(positive_coords, FOREGROUND, "positive_coords"),
            *parse_places(negative_coords, BACKGROUND, "negative_coords"),
        )
        images = channels_first(image)
        size = (images.shape[-2], images.shape[-1])
        wanted = [
            to_prompts(
                cut_to_image(Marks(points, (*typed.boxes, *frame_boxes(bboxes, number))), size),
                points_mark == EACH_POINT,
            )
            for number in range(len(images))
        ]
        progress = host.progress(len(images))
        found = []
        with host.on_device(sam, working_bytes(sam.model.config, sam.model.dtype.itemsize)):
            for number, frame in enumerate(images):
                masks = segment(sam, frame, wanted[number], candidates)
                found.append(merged(masks) if merge else masks)
                progress(number + 1, len(images))
        ui = {"dpt_segment": [editor_pictures(image[0], found[0].masks)]}
        return io.NodeOutput(*to_outputs(image, found), ui=ui)
