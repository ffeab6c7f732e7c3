"""Images and masks as ComfyUI hands them over."""

import torch.nn.functional as F
from torch import Tensor


def channels_first(image: Tensor) -> Tensor:
    """ComfyUI's B×H×W×C (3 channels, or 4 with alpha) → a view B×3×H×W.

    Raises:
        ValueError: the batch is empty.
    """
    if not len(image):
        raise ValueError("There are no images in the batch. Connect at least one.")
    return image[..., :3].movedim(-1, 1)


def prepare_mask(mask: Tensor | None, size: tuple[int, int]) -> Tensor | None:
    """A connected mask as B×H×W of the given height and width; None if it is empty.

    For an image without transparency, Load Image gives an empty mask of 64×64, which stands for
    no mask. A mask of another size is resized, since people often resize the image alone.
    """
    if mask is None or not (mask > 0.5).any():
        return None
    mask = mask.reshape(-1, *mask.shape[-2:])
    if mask.shape[-2:] == size:
        return mask
    return F.interpolate(mask.unsqueeze(1), size=size, mode="nearest-exact").squeeze(1)


def frame_size(frames: Tensor) -> tuple[int, int]:
    """Height and width of B×…×H×W."""
    return frames.shape[-2], frames.shape[-1]


def format_shape(shape: tuple[int, ...]) -> str:
    """A shape as messages show it: 2×480×640."""
    return "×".join(str(side) for side in shape)
