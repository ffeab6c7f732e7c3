"""Depth, the value that models give and everything else takes, and what its numbers mean.

A depth map is of one of three kinds. ``"inverse"`` is disparity: larger is nearer, no unit, known
up to a scale and a shift. ``"depth"`` is z, the distance along the camera's axis (not the length
of the ray), known up to a scale. ``"metres"`` is z in metres.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Kind = Literal["inverse", "depth", "metres"]

SKY_THRESHOLD = 0.3  # a pixel whose sky score is at least this is sky (Depth Anything 3)
MIN_Z = 1e-3  # z below this counts as this: 1/0 is no disparity
MIN_DISPARITY = 1e-6  # disparity below this counts as this: 1/0 is no distance


class Depth(NamedTuple):
    """Raw depth of B images.

    Attributes:
        values: B×H×W float32 on the CPU; float16 from `infer_and_store_float16`.
        kind: what they are: ``"inverse"``, ``"depth"`` or ``"metres"``.
        sky: B×H×W float32 on the CPU where the model tells the sky apart, from 0 (no sky); at
            0.3 and above a pixel is sky. None: the model does not tell.
        valid: B×H×W bool on the CPU, False where the values mean nothing; None: all count.
        confidence: B×H×W float32 on the CPU, larger is surer; None: not known.
        intrinsics: B×3×3 float32, the pinhole cameras in units of the image's width and height
            (the centre is 0.5), so that they hold at any size; None: not known.
        extrinsics: B×4×4 float32, world to camera, in OpenCV's axes (x right, y down, z forward);
            None: not known.
        checkpoint: name of the file whose model made it.
    """

    values: Tensor
    kind: Kind
    sky: Tensor | None = None
    valid: Tensor | None = None
    confidence: Tensor | None = None
    intrinsics: Tensor | None = None
    extrinsics: Tensor | None = None
    checkpoint: str | None = None

    def frame(self, number: int) -> "Depth":
        """The depth of one image, still with B = 1; views, not copies."""
        parts = {
            name: value[number : number + 1]
            for name, value in self._asdict().items()
            if isinstance(value, Tensor)
        }
        return self._replace(**parts)


def join(depths: Sequence[Depth]) -> Depth:
    """One batch of several from the same model, all of one size."""
    first = depths[0]
    parts = {
        name: torch.cat([getattr(depth, name) for depth in depths])
        for name, value in first._asdict().items()
        if isinstance(value, Tensor)
    }
    return first._replace(**parts)


def disparity(depth: Depth) -> Tensor:
    """Disparity of any kind, B×H×W float32: inverse depth as it is, else 1/z."""
    values = depth.values.float()
    return values if depth.kind == "inverse" else values.clamp(min=MIN_Z).reciprocal()


def from_disparity(values: Tensor, kind: Kind) -> Tensor:
    """The way back from `disparity` to values of a kind; always a tensor of the same shape."""
    if kind == "inverse":
        return values
    return values.clamp(min=MIN_DISPARITY, max=1 / MIN_Z).reciprocal()


def z_between(share: Tensor, near: float, far: float) -> Tensor:
    """Share of a range of disparity → z: 1 is at `near`, 0 at `far`, and 1/z is linear between."""
    return (share * (1 / near - 1 / far) + 1 / far).reciprocal()


def z_depth(depth: Depth, near: float | None = None, far: float | None = None) -> Tensor:
    """z of every pixel in memory of its own, B×H×W float32.

    Args:
        depth: raw depth of any kind.
        near, far: where the nearest and the farthest valid pixel of the batch are, for inverse
            depth; in between 1/z is linear. The other kinds are z already.

    Raises:
        ValueError: no frame; inverse depth without near and far, or not 0 < near < far; inverse
            depth that is nowhere valid or the same everywhere.
    """
    check_frames(depth)
    if depth.kind != "inverse":
        return depth.values.to(torch.float32, copy=True)
    if near is None or far is None:
        raise ValueError(
            "This depth is relative inverse depth, which has no distances. Give near and far, or "
            "use Align Depth or a metric checkpoint."
        )
    check_near_far(near, far)
    known = [
        values
        for number, frame in enumerate(depth.values)
        if (values := frame[valid_pixels(depth, number)].float()).numel()
    ]
    if not known:
        raise ValueError(
            "There is no valid depth in it: all is NaN, infinite, sky or marked invalid. Check the "
            "image and the checkpoint that made it."
        )
    low = min(float(values.amin()) for values in known)
    high = max(float(values.amax()) for values in known)
    if not low < high:
        raise ValueError(
            "The depth is the same everywhere, so it has no shape. Check the image and the "
            "checkpoint that made it."
        )
    share = ((depth.values.float() - low) / (high - low)).clamp_(min=0)
    return z_between(share, near, far)


def valid_pixels(depth: Depth, number: int) -> Tensor:
    """Where an image has depth, H×W bool on the CPU.

    A pixel counts if it is not marked invalid, is no sky, and is a finite number (above 0 for z).
    """
    values = depth.values[number]
    valid = unmasked_pixels(depth, number) & torch.isfinite(values)
    return valid if depth.kind == "inverse" else valid & (values > 0)


def unmasked_pixels(depth: Depth, number: int) -> Tensor:
    """Where an image is meant to have depth: not marked invalid, and no sky. H×W bool."""
    meant = torch.ones_like(depth.values[number], dtype=torch.bool)
    if depth.valid is not None:
        meant &= depth.valid[number]
    if depth.sky is not None:
        meant &= depth.sky[number] < SKY_THRESHOLD
    return meant


def check_frames(depth: Depth) -> None:
    """Refuse raw depth without a pixel.

    Raises:
        ValueError: it is not B×H×W with at least one frame.
    """
    if depth.values.ndim != 3 or 0 in depth.values.shape:
        shape = "×".join(str(side) for side in depth.values.shape)
        raise ValueError(
            f"The depth is {shape} (frames × height × width); at least one frame was expected."
        )


def check_mask(mask: Tensor, depth: Depth) -> Tensor:
    """B×H×W bool of a mask for this depth.

    Args:
        mask: B×H×W or 1×H×W, above 0.5 where it is set.
        depth: raw depth.

    Raises:
        ValueError: another size or number of frames.
    """
    count, *size = depth.values.shape
    if list(mask.shape[-2:]) != size or mask.ndim != 3 or len(mask) not in (1, count):
        found, wanted = ("×".join(map(str, shape)) for shape in (mask.shape, depth.values.shape))
        raise ValueError(
            f"The mask is {found} (frames × height × width) and the depth {wanted}; they must "
            "have the same size, and the mask one frame or as many."
        )
    return (mask.cpu() > 0.5).expand(count, *size)


def check_near_far(near: float, far: float) -> None:
    """Refuse a range that is none.

    Raises:
        ValueError: not 0 < near < far.
    """
    if not 0 < near < far:
        raise ValueError(
            f"near is {near:g} and far is {far:g}; both must be above 0, and near below far."
        )
