"""Raw depth of long videos in half precision."""

import torch
from torch import Tensor

from ..depth_map import Depth
from .chunks import Progress
from .detail import Infer

GREATEST = 65504.0  # of float16


def infer_float16(
    infer: Infer, images: Tensor, chunk: int = 1, progress: Progress | None = None
) -> Depth:
    """Estimate chunk after chunk, and keep depth and sky as float16: half the memory.

    What is kept is off by at most 1/2048 of itself, at any distance (3e-8 where it is below
    6e-5). In a picture whose farthest is far away that is less than a fifth of an 8-bit step
    (measured: 0.17), and more where near and far lie close together: 0.7 where the nearest is
    1.2 times the farthest. Normals and meshes show it as terraces.

    Args:
        infer: images B×3×H×W → raw depth at their size.
        images: B×3×H×W in [0, 1].
        chunk: images to give it at a time.
        progress: called with (images done, images in all) after each chunk; may raise.

    Raises:
        ValueError: no images, or depth that float16 cannot hold.
    """
    if not len(images):
        raise ValueError("There are no images. Connect at least one.")
    depth: Depth | None = None
    for start in range(0, len(images), chunk):
        part = infer(images[start : start + chunk])
        end = start + len(part.values)
        if part.values.abs().amax() > GREATEST:
            raise ValueError(
                f"The raw depth of images {start} to {end - 1} (counted from 0) goes up to "
                f"{float(part.values.abs().amax()):g}, and float16 holds {GREATEST:g} at most. "
                "Keep the depth in float32."
            )
        if depth is None:
            depth = part._replace(values=_empty(part.values, len(images)))
            if part.sky is not None:
                depth = depth._replace(sky=_empty(part.sky, len(images)))
        depth.values[start:end] = part.values
        if depth.sky is not None and part.sky is not None:
            depth.sky[start:end] = part.sky
        if progress is not None:
            progress(end, len(images))
    assert depth is not None
    if depth.intrinsics is None:
        return depth
    return depth._replace(intrinsics=depth.intrinsics[:1].expand(len(images), 3, 3))


def _empty(like: Tensor, count: int) -> Tensor:
    return torch.empty(count, *like.shape[1:], dtype=torch.float16)
