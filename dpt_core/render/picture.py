"""Raw depth to grey pictures, frame by frame: the settings and the rendering."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ..depth_map import (
    Depth,
    Kind,
    check_frames,
    check_near_far,
    disparity,
    meant_pixels,
    valid_pixels,
    z_between,
)
from .normalise import Limits, extremes, stretch
from .sizes import Target, resize, resize_valid
from .video import sample, steady_limits

RAW_WHITE = 255.0  # FLUX.1-Depth's encoder sees raw / 127.5 − 1, and an IMAGE's x is 2·x − 1 to it
MOST_SAMPLES = 4_000_000  # values that percentiles of a batch are taken from
FAINTEST = 1e-4  # of the nearest: a metric video's aligned disparity may reach below 0

Style = Literal["near", "far", "metres", "raw"]


@dataclass(frozen=True)
class EachImage:
    """Every image from its own low to its own high percentile, 0 and 100: minimum, maximum."""

    low: float = 0.0
    high: float = 100.0


@dataclass(frozen=True)
class WholeBatch:
    """All images from the batch's low to its high percentile."""

    low: float = 0.0
    high: float = 100.0


@dataclass(frozen=True)
class Fixed:
    """The same two raw values always: metres, or what a relative model's raw depth holds."""

    low: float
    high: float


@dataclass(frozen=True)
class Steady:
    """The frames of a video, made to agree; the range changes over about `window` frames."""

    window: int = 24


Range = EachImage | WholeBatch | Fixed | Steady


@dataclass(frozen=True)
class Rendering:
    """How raw depth becomes a picture.

    Attributes:
        style: ``"near"``: disparity (inverse depth), stretched: near is white, what depth
            ControlNets were trained on. ``"far"``: distance, stretched linearly: far is white.
            ``"metres"``: distance in metres as it is, not stretched. ``"raw"``: a relative
            model's inverse depth over 255, not stretched: FLUX.1-Depth.
        range: what is stretched to [0, 1].
        near, far: metres at the two ends of a relative model's range, which has none itself;
            a metric model does without.
        invert: 1 − x, of the stretched styles.
        gamma: x ** (1 / gamma), of the stretched styles; above 1 is brighter.
        target: the size to deliver; None: the depth's own.
    """

    style: Style = "near"
    range: Range = EachImage()
    near: float | None = None
    far: float | None = None
    invert: bool = False
    gamma: float = 1.0
    target: Target | None = None

    def check(self, depth: Depth) -> None:
        """Refuse settings that do not go together or not with this depth.

        Raises:
            ValueError: one sentence that says what to change.
        """
        check_frames(depth)
        if not (math.isfinite(self.gamma) and self.gamma > 0):
            raise ValueError(f"gamma is {self.gamma:g}; it must be above 0.")
        if self.style in ("metres", "raw") and (self.invert or self.gamma != 1):
            raise ValueError(
                f"invert and gamma work on a picture between 0 and 1, and {self.style!r} gives "
                "values as they are. Switch invert off and set gamma to 1, or choose another style."
            )
        if self.style == "raw" and depth.kind != "inverse":
            raise ValueError(
                f"This depth is {_describe(depth)}, and the raw style is for the relative inverse "
                "depth of Depth Anything V1 Large. Load that checkpoint, or choose near = white."
            )
        if self.style in ("far", "metres") and depth.kind != "metres":
            self._check_near_far(depth)
        match self.range:
            case EachImage(low, high) | WholeBatch(low, high):
                if not 0 <= low < high <= 100:
                    raise ValueError(
                        f"The percentiles are {low:g} and {high:g}; they must lie between 0 and "
                        "100, the low one below the high one."
                    )
            case Fixed(low, high):
                if depth.kind != "inverse":
                    check_near_far(low, high)
                elif not low < high:
                    raise ValueError(
                        f"The fixed range goes from {low:g} to {high:g}; the low end must be "
                        "below the high end."
                    )
            case Steady():
                pass

    def _check_near_far(self, depth: Depth) -> None:
        if self.near is None or self.far is None:
            raise ValueError(
                f"This depth is {_describe(depth)}, so its distance in metres is not known. Give "
                "near and far in metres, or use Align Depth or a metric checkpoint."
            )
        check_near_far(self.near, self.far)


class Frame(NamedTuple):
    """One rendered frame.

    Attributes:
        grey: H×W float32 on the device: in [0, 1], or metres, or raw over 255.
        valid: H×W bool on the CPU, or None where everything is valid.
    """

    grey: Tensor
    valid: Tensor | None


Progress = Callable[[int, int], None]


def render(
    depth: Depth,
    settings: Rendering | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Iterator[Frame]:
    """Render the frames one after another; no more than one is held.

    What is not valid counts as farthest away.

    Args:
        depth: raw depth; never changed.
        settings: see `Rendering`; by default what ControlNets want.
        device: where the frames are stretched and come from; statistics are the CPU's, where
            raw depth is, and do not depend on the device.
        progress: called with (frames done, frames in all), also while the frames are looked
            through for their range (with 0 done); may raise to end the work.

    Raises:
        ValueError: settings that cannot be; depth with NaN or infinite values, or the same
            value everywhere, so that there is nothing to stretch.
    """
    settings = settings or Rendering()
    settings.check(depth)
    frames = _Frames(depth, settings.target, progress)
    as_they_are = settings.style == "raw" or (settings.style, depth.kind) == ("metres", "metres")
    limits = [] if as_they_are else _limits(frames, settings.range, depth.kind)
    for number in range(len(frames)):
        values, valid = frames[number]
        values = values.to(device)
        if settings.style == "raw":
            grey = values / RAW_WHITE
        elif as_they_are:
            grey = values.reciprocal()
        else:
            grey = _finish(values, limits[number], settings, depth.kind)
        yield Frame(grey, valid)
        if progress is not None:
            progress(number + 1, len(frames))


@dataclass
class _Frames:
    """The disparity of each frame at the target's size, made when it is asked for."""

    depth: Depth
    target: Target | None
    progress: Progress | None

    def __len__(self) -> int:
        return len(self.depth.values)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor | None]:
        """H×W float32 and, where not all of it is valid, H×W bool; the rest as the farthest."""
        values = disparity(self.depth.frame(number))[0]
        meant, valid = meant_pixels(self.depth, number), valid_pixels(self.depth, number)
        if not torch.isfinite(values[meant]).all():
            raise ValueError(
                f"The depth of image {number} (counted from 0) has NaN or infinite values. If a "
                "model made it, set precision to float32 in Load DPT Checkpoint."
            )
        if valid.all():
            return values if self.target is None else resize(values, self.target), None
        if self.target is not None:
            values, valid = resize_valid(values, valid, self.target)
        farthest = values[valid].amin() if valid.any() else 0.0
        return torch.where(valid, values, farthest), valid

    def look_through(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """All frames, before the first is rendered; an interruption ends this too."""
        for number in range(len(self)):
            if self.progress is not None:
                self.progress(0, len(self))
            yield self[number]


def _limits(frames: _Frames, span: Range, kind: Kind) -> list[Limits]:
    """The limits of every frame.

    Raises:
        ValueError: no frame has two values that differ.
    """
    count = len(frames)
    match span:
        case Fixed(low, high) if kind == "inverse":
            return [Limits(low, high)] * count
        case Fixed(near, far):
            return [Limits(1 / far, 1 / near)] * count
        case EachImage(low, high):
            limits = [
                Limits(*extremes(_known(frame), low, high)) for frame in frames.look_through()
            ]
        case WholeBatch(low, high):
            limits = [Limits(*_batch_extremes(frames, low, high))] * count
        case Steady(window):
            samples: list[Tensor] = []
            ends = []
            for number, (values, valid) in enumerate(frames.look_through()):
                ends.append(extremes(_known((values, valid))))
                known = values if valid is None else torch.where(valid, values, torch.nan)
                one = sample(known)
                if not samples:
                    # All at once: small blocks that stay, between the large ones of the frames,
                    # would keep the allocator from using those again.
                    samples = list(one.new_empty(count, len(one)))
                samples[number].copy_(one)
            limits = steady_limits(samples, ends, window)
    if not any(one.high > one.low for one in limits):
        raise ValueError(
            "The depth is the same everywhere, so there is no near and far to show. Check the "
            "image and the checkpoint that made it, or choose a fixed range."
        )
    return limits


def _batch_extremes(frames: _Frames, low: float, high: float) -> tuple[float, float]:
    """Percentiles of all the frames: exact at 0 and 100, else of evenly spread pixels."""
    step = 1
    if (low, high) != (0, 100):
        step = max(1, math.ceil(len(frames) * frames[0][0].numel() / MOST_SAMPLES))
    ends, pool = [], []
    for frame in frames.look_through():
        known = _known(frame)
        if (low, high) == (0, 100):
            ends += extremes(known)
        else:
            pool.append(known[::step])
    return (min(ends), max(ends)) if ends else extremes(torch.cat(pool), low, high)


def _known(frame: tuple[Tensor, Tensor | None]) -> Tensor:
    """The valid values of a frame, flat; all of them if none is valid."""
    values, valid = frame
    return values.flatten() if valid is None or not valid.any() else values[valid]


def _finish(values: Tensor, limits: Limits, settings: Rendering, kind: Kind) -> Tensor:
    """Nearness H×W → what the style shows."""
    grey = stretch(values, limits)
    if settings.style in ("far", "metres"):
        near, far = settings.near, settings.far
        if kind == "metres":
            near, far = 1 / limits.high, 1 / max(limits.low, FAINTEST * limits.high)
        assert near is not None
        assert far is not None
        grey = z_between(grey, near, far)
        if settings.style == "metres":
            return grey
        grey = ((grey - near) / (far - near)).clamp_(0, 1) if far > near else grey.zero_()
    if settings.invert:
        grey = 1 - grey
    return grey if settings.gamma == 1 else grey ** (1 / settings.gamma)


def _describe(depth: Depth) -> str:
    return {
        "inverse": "relative inverse depth",
        "metres": "in metres",
        "depth": "depth without a unit",
    }[depth.kind]
