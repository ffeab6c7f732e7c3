"""The outputs of the nodes that segment: masks, their quality, and a preview."""

from collections.abc import Sequence

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ..host import running
from .draw_masks import draw_masks, overlay
from .predict import ImageMasks


def mask_outputs(masks: str, iou: str = "") -> list[io.Output]:
    """The three outputs; `masks` is a tooltip, and `iou` is added to one."""
    return [
        io.Mask.Output(display_name="masks", tooltip=masks),
        io.Float.Output(
            display_name="iou",
            is_output_list=True,
            tooltip=f"For each mask, the model's estimate of how well it fits, about 0 to 1.{iou}",
        ),
        io.Image.Output(
            display_name="preview", tooltip="The image with the masks and their outlines."
        ),
    ]


def to_outputs(image: Tensor, results: Sequence[ImageMasks]) -> tuple[Tensor, list[float], Tensor]:
    """What leaves the node: MASK N×H×W, N qualities, and the preview B×H×W×3.

    An image without masks gets one empty mask of quality 0, because other nodes fail on an
    empty batch.

    Args:
        image: B×H×W×C as it came.
        results: one for each image.
    """
    height, width = image.shape[1:3]
    masks = running.empty_result((sum(max(len(r.iou), 1) for r in results), height, width))
    preview = running.empty_result((len(image), height, width, 3))
    iou: list[float] = []
    for number, (frame, (some, quality)) in enumerate(zip(image, results, strict=True)):
        running.stop_if_interrupted()
        count = max(len(quality), 1)
        masks[len(iou) : len(iou) + count] = some if len(quality) else 0.0
        preview[number] = overlay(frame[..., :3].cpu(), draw_masks(some)).clamp_(0, 1)
        iou += quality or [0.0]
    return masks, iou, preview
