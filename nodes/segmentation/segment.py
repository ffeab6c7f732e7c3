"""Segment (points and boxes): masks of what is marked on the image."""

from typing import Any

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ..host import models, running
from ..host.memory import sam_working_bytes
from ..images import channels_first, frame_size
from ..point_editor import editor_image, editor_layer
from .draw_masks import draw_masks
from .inputs import sam_input
from .outputs import mask_outputs, to_outputs
from .parse_prompts import clip_to_image, frame_boxes, parse_marks, parse_points
from .predict import CANDIDATES, predict
from .prompts import BACKGROUND, FOREGROUND, Marks, to_prompts

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
                "Cuts out what you mark, with Segment Anything. Click on the picture to set a "
                "point on the object, shift-click to exclude something, drag to draw a box around "
                "the object."
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
                sam_input(),
                io.Image.Input(
                    "image",
                    tooltip=(
                        "One image, or a batch, which uses the same marks for every image. Alpha "
                        "is ignored."
                    ),
                ),
                io.String.Input(
                    "prompts",
                    default='{"points":[],"boxes":[]}',
                    tooltip=(
                        "The marks set in the editor on the node, as JSON in pixels of the image: "
                        '{"points": [{"x", "y", "label"}], "boxes": [{"x", "y", "width", '
                        '"height"}]}. Label 1 is the object, 0 is not.'
                    ),
                ),
                io.Combo.Input(
                    "points_mark",
                    options=["one object", EACH_POINT],
                    default="one object",
                    tooltip=(
                        "Whether all points outside boxes mark one object together, or each marks "
                        "its own. A box is always one object, including the points inside it."
                    ),
                ),
                io.Combo.Input(
                    "candidates",
                    options=list(CANDIDATES),
                    default="auto",
                    tooltip=(
                        "The model can propose three masks: the whole, a part, and a part of the "
                        "part. auto takes the best of the three for a single point, which is "
                        "ambiguous, and asks for one mask if boxes or more points make it clear."
                    ),
                ),
                io.Boolean.Input(
                    "merge",
                    default=False,
                    tooltip="Combine all objects of an image into one mask.",
                ),
                io.BoundingBox.Input(
                    "bboxes",
                    optional=True,
                    force_input=True,
                    tooltip=(
                        "More boxes, for example from a detector: one box, a list for all images, "
                        "or one list for each image."
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
                    tooltip='More points to exclude: JSON [{"x": 10, "y": 20}] in pixels.',
                ),
            ],
            outputs=mask_outputs(
                "One mask for each object, boxes first: all of the first image, then those of the "
                "next. An image without marks has one empty mask.",
                " For merged masks, the lowest of them.",
            ),
            # Otherwise the editor's pictures are not sent again when the run is cached.
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, prompts: str | None) -> bool | str:
        """Report malformed prompts before anything runs. A linked input arrives as None."""
        try:
            parse_marks(prompts or "")
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def execute(
        cls,
        sam: models.ManagedSam,
        image: Tensor,
        prompts: str,
        points_mark: str,
        candidates: str,
        merge: bool,
        bboxes: Any = None,
        positive_coords: str | None = None,
        negative_coords: str | None = None,
    ) -> io.NodeOutput:
        """Check all prompts before the work begins, then segment image by image."""
        marks = parse_marks(prompts)
        points = (
            *marks.points,
            *parse_points(positive_coords, FOREGROUND, "positive_coords"),
            *parse_points(negative_coords, BACKGROUND, "negative_coords"),
        )
        images = channels_first(image)
        size = frame_size(images)
        by_image = [
            to_prompts(
                clip_to_image(Marks(points, (*marks.boxes, *frame_boxes(bboxes, number))), size),
                points_mark == EACH_POINT,
            )
            for number in range(len(images))
        ]
        progress = running.progress(len(images))
        working_bytes = sam_working_bytes(sam.model.config, sam.model.dtype.itemsize)
        results = []
        with models.on_device(sam, working_bytes):
            for number, frame in enumerate(images):
                masks = predict(sam, frame, by_image[number], candidates)
                results.append(masks.merged() if merge else masks)
                progress(number + 1, len(images))
        ui = {"dpt_segment": [editor_pictures(image, results[0].masks)]}
        return io.NodeOutput(*to_outputs(image, results), ui=ui)


def editor_pictures(images: Tensor, masks: Tensor) -> dict[str, Any]:
    """For the editor in the browser: the first of B×H×W×C, and masks K×H×W over it."""
    layer = editor_layer(draw_masks(masks)) if masks.any() else None
    return {**editor_image(images), "masks": layer}
