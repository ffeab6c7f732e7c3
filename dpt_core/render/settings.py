"""How raw depth becomes a grey picture: the settings, and which of them go together."""

import math
from dataclasses import dataclass
from typing import Literal

from ..depth_map import Depth, check_frames, check_near_far
from .output_size import OutputSize

RenderStyle = Literal["near", "far", "metres", "raw"]

KIND_NAMES = {
    "inverse": "relative inverse depth",
    "depth": "depth without a unit",
    "metres": "in metres",
}


@dataclass(frozen=True)
class PerImageRange:
    """Each image from its own low to its own high percentile; 0 and 100 are its extremes."""

    low: float = 0.0
    high: float = 100.0


@dataclass(frozen=True)
class BatchRange:
    """All images from the batch's low to its high percentile."""

    low: float = 0.0
    high: float = 100.0


@dataclass(frozen=True)
class FixedRange:
    """Two raw values, the same for all images: metres, or a relative model's raw depth."""

    low: float
    high: float


@dataclass(frozen=True)
class SteadyRange:
    """The frames of a video, aligned to each other; the range changes over `window` frames."""

    window: int = 24


Range = PerImageRange | BatchRange | FixedRange | SteadyRange


@dataclass(frozen=True)
class RenderSettings:
    """How raw depth becomes a picture; by default what depth ControlNets were trained on.

    Attributes:
        style: ``"near"``: disparity (inverse depth), stretched; near is white. ``"far"``:
            distance, stretched linearly; far is white. ``"metres"``: distance in metres, not
            stretched. ``"raw"``: a relative model's inverse depth over 255, not stretched, for
            FLUX.1-Depth.
        range: what is stretched to [0, 1].
        near, far: metres at the two ends of the range, which a relative model does not know;
            a metric model does not need them.
        invert: 1 − x; for the stretched styles.
        gamma: x ** (1 / gamma); above 1 is brighter. For the stretched styles.
        output: size of the picture; None: the depth's own.
    """

    style: RenderStyle = "near"
    range: Range = PerImageRange()
    near: float | None = None
    far: float | None = None
    invert: bool = False
    gamma: float = 1.0
    output: OutputSize | None = None

    def check(self, depth: Depth) -> None:
        """Refuse settings that do not go together, or not with this depth.

        Raises:
            ValueError: one sentence that says what to change.
        """
        check_frames(depth)
        if not (math.isfinite(self.gamma) and self.gamma > 0):
            raise ValueError(f"gamma is {self.gamma:g}; it must be above 0.")
        if self.style in ("metres", "raw") and (self.invert or self.gamma != 1):
            raise ValueError(
                f"invert and gamma need values between 0 and 1, and {self.style!r} gives values as "
                "they are. Switch invert off and set gamma to 1, or choose another style."
            )
        if self.style == "raw" and depth.kind != "inverse":
            raise ValueError(
                f"This depth is {KIND_NAMES[depth.kind]}, and the raw style is for the relative "
                "inverse depth of Depth Anything V1 Large. Load that checkpoint, or choose near = "
                "white."
            )
        if self.style in ("far", "metres") and depth.kind != "metres":
            self._check_near_far(depth)
        match self.range:
            case PerImageRange(low, high) | BatchRange(low, high):
                if not 0 <= low < high <= 100:
                    raise ValueError(
                        f"The percentiles are {low:g} and {high:g}; they must lie between 0 and "
                        "100, the low one below the high one."
                    )
            case FixedRange(low, high):
                if depth.kind != "inverse":
                    check_near_far(low, high)
                elif not low < high:
                    raise ValueError(
                        f"The fixed range goes from {low:g} to {high:g}; the low end must be "
                        "below the high end."
                    )
            case SteadyRange():
                pass

    def _check_near_far(self, depth: Depth) -> None:
        if self.near is None or self.far is None:
            raise ValueError(
                f"This depth is {KIND_NAMES[depth.kind]}, so its distance in metres is not known. "
                "Give near and far in metres, or use Align Depth or a metric checkpoint."
            )
        check_near_far(self.near, self.far)
