"""The images that every model takes: B×3×H×W float RGB in [0, 1]."""

import torch
from torch import Tensor


def check_images(images: Tensor) -> None:
    """Check that images are B×3×H×W finite floats, before anything is computed.

    Raises:
        TypeError: not a floating-point tensor.
        ValueError: wrong shape, no pixels, or a frame with NaN or infinite values.
    """
    if not isinstance(images, Tensor) or not images.is_floating_point():
        found = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(
            f"The images are {found}; a float tensor B×3×H×W in [0, 1] was expected. "
            "Divide 8-bit values by 255."
        )
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
        shape = "×".join(str(side) for side in images.shape)
        raise ValueError(
            f"The images are {shape}; B×3×H×W with at least one pixel was expected. "
            "Give RGB images with the channels before rows and columns."
        )
    for number, image in enumerate(images):
        # The sum of a frame is finite exactly when all of its values are (they are near 1),
        # and needs no second copy of the frame.
        if not torch.isfinite(image.sum(dtype=torch.float32)):
            raise ValueError(
                f"Image {number} of the batch (counted from 0) has NaN or infinite values; "
                "numbers in [0, 1] were expected. Check the node or file that made it."
            )
