"""Raw depth to grey pictures, frame by frame."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..depth_map import Depth, Kind, from_disparity, z_between
from ..progress import Progress
from .normalise import Limits, extremes, fill_invalid, stretch, valid_disparity
from .output_size import OutputSize, resize, resize_valid
from .settings import BatchRange, FixedRange, PerImageRange, Range, RenderSettings, SteadyRange
from .video import sample_pixels, steady_limits

RAW_WHITE = 255.0  # FLUX.1-Depth's encoder sees raw / 127.5 − 1, and an IMAGE's x is 2·x − 1 to it
PERCENTILE_SAMPLES = 4_000_000  # values of a batch that percentiles are taken from
MIN_DISPARITY_RATIO = 1e-4  # lowest over highest: aligned frames of a video may reach below 0


class RenderedFrame(NamedTuple):
    """One rendered frame.

    Attributes:
        grey: H×W float32 on the device: in [0, 1], or metres, or raw over 255.
        valid: H×W bool on the CPU, or None where everything is valid.
    """

    grey: Tensor
    valid: Tensor | None


def render(
    depth: Depth,
    settings: RenderSettings | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Iterator[RenderedFrame]:
    """Render the frames one after another; only one is held at a time.

    Pixels that are not valid count as farthest away.

    Args:
        depth: raw depth; never changed.
        settings: see `RenderSettings`; by default what ControlNets want.
        device: where the frames are stretched and returned. Statistics are taken on the CPU,
            where raw depth is, and do not depend on the device.
        progress: called with (frames done, frames in all), also while the frames are scanned
            for their range (with 0 done); may raise to end the work.

    Raises:
        ValueError: settings that do not go together or not with this depth; NaN or infinite
            values where an image is meant to have depth; depth that is the same everywhere, so
            that there is nothing to stretch.
    """
    settings = settings or RenderSettings()
    settings.check(depth)
    frames = _Frames(depth, settings.output, progress)
    unchanged = settings.style == "raw" or (settings.style, depth.kind) == ("metres", "metres")
    limits = [] if unchanged else _limits(frames, settings.range, depth.kind)
    for number in range(len(frames)):
        values, valid = frames[number]
        values = values.to(device)
        if settings.style == "raw":
            grey = values / RAW_WHITE
        elif unchanged:
            grey = from_disparity(values, "metres")
        else:
            grey = _stretch_to_style(values, limits[number], settings, depth.kind)
        yield RenderedFrame(grey, valid)
        if progress is not None:
            progress(number + 1, len(frames))


@dataclass
class _Frames:
    """The disparity of each frame at the output's size, computed on access."""

    depth: Depth
    output: OutputSize | None
    progress: Progress | None

    def __len__(self) -> int:
        return len(self.depth.values)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor | None]:
        """H×W float32, and H×W bool unless all of it is valid; the rest as the farthest."""
        values, valid = valid_disparity(self.depth, number)
        if valid.all():
            return values if self.output is None else resize(values, self.output), None
        if self.output is not None:
            values, valid = resize_valid(values, valid, self.output)
        return fill_invalid(values, valid), valid

    def scan(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """All frames, for statistics before the first is rendered; progress can end this too."""
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
        case FixedRange(low, high) if kind == "inverse":
            return [Limits(low, high)] * count
        case FixedRange(near, far):
            return [Limits(1 / far, 1 / near)] * count
        case PerImageRange(low, high):
            limits = [
                Limits(*extremes(_valid_values(*frame), low, high)) for frame in frames.scan()
            ]
        case BatchRange(low, high):
            limits = [Limits(*_batch_extremes(frames, low, high))] * count
        case SteadyRange(window):
            samples: list[Tensor] = []
            ends = []
            for number, (values, valid) in enumerate(frames.scan()):
                ends.append(extremes(_valid_values(values, valid)))
                sampled = sample_pixels(
                    values if valid is None else torch.where(valid, values, torch.nan)
                )
                if not samples:
                    # All at once: small blocks that stay, between the large ones of the frames,
                    # would keep the allocator from using those again.
                    samples = list(sampled.new_empty(count, len(sampled)))
                samples[number].copy_(sampled)
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
        step = max(1, math.ceil(len(frames) * frames[0][0].numel() / PERCENTILE_SAMPLES))
    ends, pool = [], []
    for frame in frames.scan():
        values = _valid_values(*frame)
        if (low, high) == (0, 100):
            ends += extremes(values)
        else:
            pool.append(values[::step])
    return (min(ends), max(ends)) if ends else extremes(torch.cat(pool), low, high)


def _valid_values(values: Tensor, valid: Tensor | None) -> Tensor:
    """The valid values of a frame, flat; all of them if none is valid."""
    return values.flatten() if valid is None or not valid.any() else values[valid]


def _stretch_to_style(
    values: Tensor, limits: Limits, settings: RenderSettings, kind: Kind
) -> Tensor:
    """Disparity H×W → the grey values or metres of a stretched style."""
    grey = stretch(values, limits)
    if settings.style in ("far", "metres"):
        near, far = settings.near, settings.far
        if kind == "metres":
            near, far = 1 / limits.high, 1 / max(limits.low, MIN_DISPARITY_RATIO * limits.high)
        assert near is not None
        assert far is not None
        grey = z_between(grey, near, far)
        if settings.style == "metres":
            return grey
        grey = ((grey - near) / (far - near)).clamp_(0, 1) if far > near else grey.zero_()
    if settings.invert:
        grey = 1 - grey
    return grey if settings.gamma == 1 else grey ** (1 / settings.gamma)
