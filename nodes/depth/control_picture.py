"""The depth picture that the estimating nodes give beside raw depth."""

import torch
from torch import Tensor

from ...dpt_core import Depth, DepthModel
from ...dpt_core.render import OutputSize, control_image, resize
from ..host import running


def control_picture(depth: Depth, model: DepthModel, target: OutputSize | None = None) -> Tensor:
    """The picture B×H×W×3 for ControlNets, at the depth's size or a target's.

    Each frame is first normalised to the full range and then resized, as preprocessors do. The
    result is allocated once and filled frame by frame. Its three channels share one memory, so
    hundreds of frames cost no more than their grey values.

    Raises:
        ValueError: a frame has NaN or infinite values.
    """
    count, *size = depth.values.shape
    grey = running.empty_result((count, *(target.size if target else size)))
    for number, values in enumerate(depth.values):
        if not torch.isfinite(values.sum(dtype=torch.float32)):
            raise ValueError(_not_finite_message(number, model))
        picture = control_image(depth.frame(number))[0]
        grey[number] = picture if target is None else resize(picture, target)
    return grey.unsqueeze(-1).expand(*grey.shape, 3)


def _not_finite_message(number: int, model: DepthModel) -> str:
    found = f"The depth of image {number} (counted from 0) has NaN or infinite values"
    if model.dtype != torch.float32:
        dtype = str(model.dtype).removeprefix("torch.")
        return f"{found} in {dtype}. Set precision to float32 in Load DPT Checkpoint."
    return f"{found}: {model.inspection.path.name} is damaged. Download the file again."
