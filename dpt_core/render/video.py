"""Steady brightness over a video: every frame's limits from the shot it is in.

A relative model gives each frame of a video its own scale and shift, and a near object that
enters changes the minimum and maximum; both flicker when frames are stretched one by one.
Here each frame's disparity is first brought to its predecessor's by a robust scale and shift,
and the limits are then those of the frames around it, earlier and later ones alike.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.scale_shift import ScaleShift, fit_robust
from .normalise import Limits

SAMPLES = 16_384  # pixels of a frame that are compared with the next frame's
NEAR_ENOUGH = 0.2  # of the previous frame's spread: a pixel that has stayed what it was
SAME_SHOT = 0.5  # share of such pixels below which the scene has changed
SAME_SHAPE = 0.7  # correlation of such pixels below which it has too
SCALES = (0.25, 4.0)  # a scale outside of this means the same

Shot = tuple[int, int]  # first frame, and the one after the last


def sample(values: Tensor) -> Tensor:
    """H×W → every so-manieth pixel, flat: the same places in every frame of that size."""
    height, width = values.shape
    step = max(1, round((height * width / SAMPLES) ** 0.5))
    return values[step // 2 :: step, step // 2 :: step].reshape(-1)


def align_frames(samples: list[Tensor]) -> tuple[list[ScaleShift], list[Shot]]:
    """What brings each frame to the first one of its shot, and the shots.

    Args:
        samples: of each frame, the disparity at the same pixels; NaN where there is none.
    """
    lines = [ScaleShift(1.0, 0.0)]
    starts = [0]
    for frame in range(1, len(samples)):
        step = _step(samples[frame], samples[frame - 1])
        if step is None:
            starts.append(frame)
            lines.append(ScaleShift(1.0, 0.0))
        else:
            before = lines[-1]
            lines.append(
                ScaleShift(before.scale * step.scale, before.scale * step.shift + before.shift)
            )
    return lines, list(zip(starts, [*starts[1:], len(samples)], strict=True))


def steady_limits(
    samples: list[Tensor], ends: list[tuple[float, float]], window: int
) -> list[Limits]:
    """Limits of every frame of a video.

    Args:
        samples: as for `align_frames`.
        ends: lowest and highest disparity of each frame.
        window: frames before and after that the limits depend on; they change slowly over
            about that many frames, and nothing is cut off.

    Raises:
        ValueError: the window is below 0.
    """
    if window < 0:
        raise ValueError(f"The window is {window} frames; it must be 0 or more.")
    lines, shots = align_frames(samples)
    limits: list[Limits] = []
    for start, stop in shots:
        part = lines[start:stop]
        low = torch.tensor([line.scale * e[0] + line.shift for line, e in _zip(part, ends, start)])
        high = torch.tensor([line.scale * e[1] + line.shift for line, e in _zip(part, ends, start)])
        lows, highs = -_envelope(-low, window), _envelope(high, window)
        for line, a, b in zip(part, lows.tolist(), highs.tolist(), strict=True):
            limits.append(Limits(a, b, line.scale, line.shift))
    return limits


def _zip(lines: list[ScaleShift], ends: list[tuple[float, float]], start: int):
    return zip(lines, ends[start : start + len(lines)], strict=True)


def _step(frame: Tensor, before: Tensor) -> ScaleShift | None:
    """What brings a frame to the one before it, or None if that one shows another scene."""
    both = frame.isfinite() & before.isfinite()
    x, y = frame[both], before[both]
    if x.numel() < 2 or x.amin() == x.amax() or y.amin() == y.amax():
        return None
    line = fit_robust(x, y, symmetric=True)
    if not SCALES[0] < line.scale < SCALES[1]:
        return None
    ordered = y.sort().values
    spread = ordered[round(0.95 * (len(y) - 1))] - ordered[round(0.05 * (len(y) - 1))]
    stayed = (line(x) - y).abs() <= NEAR_ENOUGH * spread
    if stayed.float().mean() < SAME_SHOT:
        return None
    pairs = torch.stack([x[stayed], y[stayed]]).double()
    return line if torch.corrcoef(pairs)[0, 1] >= SAME_SHAPE else None


def _envelope(values: Tensor, window: int) -> Tensor:
    """A slow curve that is nowhere below `values`: the highest around, then its mean around.

    Both look `window` values back and ahead. Since every term of the mean has looked at the
    value in the middle, the mean is not below it.
    """
    if window == 0:
        return values
    width = 2 * window + 1
    line = values.double().view(1, 1, -1)
    highest = F.max_pool1d(F.pad(line, (window, window), value=-torch.inf), width, stride=1)
    mean = F.avg_pool1d(F.pad(highest, (window, window), mode="replicate"), width, stride=1)
    return mean.view(-1)
