"""`Depth`, which models return and everything else takes, and the meaning of its values.

Depth is of one of three kinds. ``"inverse"`` is disparity: larger is nearer, without a unit, known
up to a scale and a shift. ``"depth"`` is z, the distance along the camera's axis (not along the
ray), known up to a scale. ``"metres"`` is z in metres.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Kind = Literal["inverse", "depth", "metres"]

SKY_THRESHOLD = 0.3  # pixels whose sky score is at least this are sky (Depth Anything 3)
MIN_Z = 1e-3  # smaller z is raised to this, so that 1/z is finite
MIN_DISPARITY = 1e-6  # smaller disparity is raised to this, so that z is finite


class Depth(NamedTuple):
    """Raw depth of B images.

    Attributes:
        values: B×H×W float32 on the CPU; float16 from `infer_and_store_float16`.
        kind: the meaning of the values: ``"inverse"``, ``"depth"`` or ``"metres"``.
        sky: sky scores B×H×W float32 on the CPU, 0 (no sky) or more; pixels at 0.3 and above are
            sky. None: the model does not detect the sky.
        valid: B×H×W bool on the CPU, False where a value is meaningless; None: all are valid.
        confidence: B×H×W float32 on the CPU, larger is more certain; None: unknown.
        intrinsics: B×3×3 float32, pinhole cameras in units of the image's width and height (the
            centre is 0.5), so that they hold at any size; None: unknown.
        extrinsics: B×4×4 float32, world to camera, in OpenCV's axes (x right, y down, z forward);
            None: unknown.
        checkpoint: file name of the checkpoint that was used.
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
        """The depth of one image as a batch of one; views, not copies."""
        parts = {
            name: value[number : number + 1]
            for name, value in self._asdict().items()
            if isinstance(value, Tensor)
        }
        return self._replace(**parts)


def join(depths: Sequence[Depth]) -> Depth:
    """Concatenate depth of the same model and image size into one batch."""
    first = depths[0]
    parts = {
        name: torch.cat([getattr(depth, name) for depth in depths])
        for name, value in first._asdict().items()
        if isinstance(value, Tensor)
    }
    return first._replace(**parts)


def disparity(depth: Depth) -> Tensor:
    """Disparity of any kind of depth, B×H×W float32: inverse depth unchanged, otherwise 1/z."""
    values = depth.values.float()
    return values if depth.kind == "inverse" else values.clamp(min=MIN_Z).reciprocal()


def from_disparity(values: Tensor, kind: Kind) -> Tensor:
    """Disparity → values of a kind, of the same shape; the inverse of `disparity`."""
    if kind == "inverse":
        return values
    return values.clamp(min=MIN_DISPARITY, max=1 / MIN_Z).reciprocal()


def z_between(share: Tensor, near: float, far: float) -> Tensor:
    """Position in a range of disparity → z: 1 is `near`, 0 is `far`, and 1/z is linear between."""
    return (share * (1 / near - 1 / far) + 1 / far).reciprocal()


def z_depth(depth: Depth, near: float | None = None, far: float | None = None) -> Tensor:
    """z of every pixel, B×H×W float32, always a copy.

    Args:
        depth: raw depth of any kind.
        near, far: z of the nearest and the farthest valid pixel of the batch, needed for inverse
            depth; 1/z is linear between them. The other kinds are z already and ignore both.

    Raises:
        ValueError: there are no frames; or, for inverse depth, near and far are missing or not
            0 < near < far, or no pixel is valid, or all valid pixels are equal.
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
            "The depth has no valid pixel: all are NaN, infinite, sky or marked invalid. Check the "
            "image and the checkpoint that made it."
        )
    low = min(float(values.amin()) for values in known)
    high = max(float(values.amax()) for values in known)
    if not low < high:
        raise ValueError(
            "The depth is the same everywhere, so near and far cannot be told apart. Check the "
            "image and the checkpoint that made it."
        )
    share = ((depth.values.float() - low) / (high - low)).clamp_(min=0)
    return z_between(share, near, far)


def valid_pixels(depth: Depth, number: int) -> Tensor:
    """The valid pixels of one image, H×W bool on the CPU.

    A pixel is valid if it is not marked invalid, is not sky, and is finite (and above 0 for z).
    """
    values = depth.values[number]
    valid = unmasked_pixels(depth, number) & torch.isfinite(values)
    return valid if depth.kind == "inverse" else valid & (values > 0)


def unmasked_pixels(depth: Depth, number: int) -> Tensor:
    """The pixels of one image that are neither marked invalid nor sky, H×W bool."""
    unmasked = torch.ones_like(depth.values[number], dtype=torch.bool)
    if depth.valid is not None:
        unmasked &= depth.valid[number]
    if depth.sky is not None:
        unmasked &= depth.sky[number] < SKY_THRESHOLD
    return unmasked


def check_frames(depth: Depth) -> None:
    """Check that raw depth has at least one frame.

    Raises:
        ValueError: the depth is not B×H×W, or is empty.
    """
    if depth.values.ndim != 3 or 0 in depth.values.shape:
        shape = "×".join(str(side) for side in depth.values.shape)
        raise ValueError(
            f"The depth is {shape} (frames × height × width); at least one frame was expected."
        )


def check_mask(mask: Tensor, depth: Depth) -> Tensor:
    """Check a mask against the depth that it is for.

    Args:
        mask: B×H×W or 1×H×W, above 0.5 where it is set.
        depth: raw depth.

    Returns:
        The mask, B×H×W bool on the CPU.

    Raises:
        ValueError: the mask has another size or number of frames.
    """
    count, *size = depth.values.shape
    if list(mask.shape[-2:]) != size or mask.ndim != 3 or len(mask) not in (1, count):
        found, wanted = ("×".join(map(str, shape)) for shape in (mask.shape, depth.values.shape))
        raise ValueError(
            f"The mask is {found} (frames × height × width) and the depth {wanted}; "
            "their sizes must match, and the mask must have one frame or as many as the depth."
        )
    return (mask.cpu() > 0.5).expand(count, *size)


def check_near_far(near: float, far: float) -> None:
    """Check a range of distances.

    Raises:
        ValueError: not 0 < near < far.
    """
    if not 0 < near < far:
        raise ValueError(
            f"near is {near:g} and far is {far:g}; both must be above 0, and near below far."
        )
