"""Steady brightness over a video: the limits of each frame depend on the shot that it is in.

A relative model gives each frame of a video its own scale and shift, and a near object that
enters changes the minimum and maximum; when frames are stretched one by one, both flicker.
Here a robust scale and shift first aligns each frame's disparity with that of the frame before,
and the limits then come from a window of frames, before and after.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.scale_shift import ScaleShift, fit_robust
from .normalise import Limits

SAMPLES = 16_384  # pixels of a frame that are compared with the next frame's
INLIER = 0.2  # largest residual of a static pixel, as a share of the previous frame's spread
# Below or outside of these a new shot begins.
MIN_STATIC_SHARE = 0.5  # of the pixels
MIN_CORRELATION = 0.7  # of the static pixels
SCALE_RANGE = (0.25, 4.0)  # from one frame to the next

Shot = tuple[int, int]  # its first frame, and the one after its last


def sample_pixels(values: Tensor) -> Tensor:
    """H×W → a regular grid of about `SAMPLES` pixels, flat; the same in frames of one size."""
    height, width = values.shape
    step = max(1, round((height * width / SAMPLES) ** 0.5))
    return values[step // 2 :: step, step // 2 :: step].reshape(-1)


def align_frames(samples: list[Tensor]) -> tuple[list[ScaleShift], list[Shot]]:
    """Align each frame with the first one of its shot.

    Args:
        samples: disparity of each frame at the same pixels, N each; NaN where it is not valid.

    Returns:
        A scale and shift for each frame, and the shots.
    """
    aligned = [ScaleShift(1.0, 0.0)]
    starts = [0]
    for frame in range(1, len(samples)):
        step = _fit_to_previous(samples[frame], samples[frame - 1])
        if step is None:
            starts.append(frame)
            aligned.append(ScaleShift(1.0, 0.0))
        else:
            before = aligned[-1]
            aligned.append(
                ScaleShift(before.scale * step.scale, before.scale * step.shift + before.shift)
            )
    return aligned, list(zip(starts, [*starts[1:], len(samples)], strict=True))


def steady_limits(
    samples: list[Tensor], ends: list[tuple[float, float]], window: int
) -> list[Limits]:
    """Limits of every frame of a video.

    Args:
        samples: as for `align_frames`.
        ends: lowest and highest disparity of each frame.
        window: how many frames, before and after, the limits depend on. They change slowly,
            over about as many frames, and no disparity of the frame lies outside of them.

    Raises:
        ValueError: the window is below 0.
    """
    if window < 0:
        raise ValueError(f"The window is {window} frames; it must be 0 or more.")
    aligned, shots = align_frames(samples)
    aligned_ends = torch.tensor(
        [
            [scale * low + shift, scale * high + shift]
            for (scale, shift), (low, high) in zip(aligned, ends, strict=True)
        ]
    )  # B×2
    limits: list[Limits] = []
    for start, stop in shots:
        low, high = aligned_ends[start:stop].unbind(1)
        lows, highs = -_envelope(-low, window), _envelope(high, window)
        shot = zip(lows.tolist(), highs.tolist(), aligned[start:stop], strict=True)
        limits += [Limits(low, high, *scale_shift) for low, high, scale_shift in shot]
    return limits


def _fit_to_previous(frame: Tensor, before: Tensor) -> ScaleShift | None:
    """Scale and shift that align a frame with the one before; None if the scene has changed."""
    both = frame.isfinite() & before.isfinite()
    x, y = frame[both], before[both]
    if x.numel() < 2 or x.amin() == x.amax() or y.amin() == y.amax():
        return None
    found = fit_robust(x, y, symmetric=True)
    if not SCALE_RANGE[0] < found.scale < SCALE_RANGE[1]:
        return None
    ordered = y.sort().values
    spread = ordered[round(0.95 * (len(y) - 1))] - ordered[round(0.05 * (len(y) - 1))]
    static = (found(x) - y).abs() <= INLIER * spread
    if static.float().mean() < MIN_STATIC_SHARE:
        return None
    pairs = torch.stack([x[static], y[static]]).double()
    return found if torch.corrcoef(pairs)[0, 1] >= MIN_CORRELATION else None


def _envelope(values: Tensor, window: int) -> Tensor:
    """A slow curve that is nowhere below `values`: a moving maximum, then a moving average of it.

    Both reach `window` values back and ahead. Every term of the average is a maximum over a
    window that contains the value in the middle, so the average is not below it.
    """
    if window == 0:
        return values
    width = 2 * window + 1
    series = values.double().view(1, 1, -1)
    highest = F.max_pool1d(F.pad(series, (window, window), value=-torch.inf), width, stride=1)
    mean = F.avg_pool1d(F.pad(highest, (window, window), mode="replicate"), width, stride=1)
    return mean.view(-1)
