"""Scale and shift that bring one set of values to another: y ≈ scale·x + shift."""

import itertools
from typing import NamedTuple

import torch
from torch import Tensor

CANDIDATES = 96  # pairs of scale and shift that the robust fit tries
SCORE_SAMPLES = 1024  # pairs of values that it scores them by
BINS = 64  # intervals of x that are sampled alike for that
MIN_ROBUST = 5  # pairs of values; among fewer, outliers cannot be told from the rest
INLIER = 2.5  # standard deviations, estimated from the median residual
SIGMA_PER_MEDIAN = 1.4826  # of a normal distribution's absolute values


class ScaleShift(NamedTuple):
    """y = scale·x + shift."""

    scale: float
    shift: float

    def __call__(self, x: Tensor) -> Tensor:
        """The scaled and shifted values, of the shape of `x`."""
        return x * self.scale + self.shift


def fit(x: Tensor, y: Tensor, symmetric: bool = False) -> ScaleShift:
    """Scale and shift between pairs of values by least squares.

    Args:
        x, y: N floats each, on one device.
        symmetric: both are noisy, so the scale is the ratio of their standard deviations (reduced
            major axis regression). The product of a long chain of fits then does not shrink
            towards 0.

    Raises:
        ValueError: fewer than two pairs, or all x the same, so that any scale fits.
    """
    x, y = x.double(), y.double()
    spread = x.var(correction=0) if x.numel() else torch.tensor(0.0)
    if x.numel() < 2 or not spread > 1e-12 * x.abs().max() ** 2:
        raise ValueError(
            f"A scale and a shift need two values that differ; {x.numel()} were given"
            f"{', all the same' if x.numel() > 1 else ''}. Give more points, or a larger mask."
        )
    mean_x, mean_y = x.mean(), y.mean()
    if symmetric:
        scale = (y.var(correction=0) / spread).sqrt()
    else:
        scale = ((x - mean_x) * (y - mean_y)).mean() / spread
    return ScaleShift(float(scale), float(mean_y - scale * mean_x))


def fit_robust(x: Tensor, y: Tensor, symmetric: bool = False) -> ScaleShift:
    """As `fit`, but up to half of the pairs may be outliers.

    Of the scales and shifts through random pairs (the same ones at every call) the one with the
    least median residual is taken ("least median of squares", Rousseeuw 1984), and its inliers
    are fitted by least squares. The residuals are those of a sample that is spread evenly over
    x, so that a sky or a wall of one value does not outvote the rest.

    Raises:
        ValueError: as for `fit`.
    """
    if x.numel() < MIN_ROBUST:
        return fit(x, y, symmetric)
    x, y = x.double(), y.double()
    found = _least_median(*_sample_evenly(x, y)) or fit(x, y, symmetric)
    floor = 1e-6 * float((y - y.median()).abs().median() + y.abs().max() * 1e-3)
    for _ in range(3):
        residual = (found(x) - y).abs()
        inlier = residual <= max(INLIER * SIGMA_PER_MEDIAN * float(residual.median()), floor)
        chosen = x[inlier]
        if chosen.numel() < 2 or chosen.amin() == chosen.amax():
            break
        found = fit(chosen, y[inlier], symmetric)
    return found


def _sample_evenly(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """`SCORE_SAMPLES` pairs, spread evenly over the range of x; all pairs if they are few."""
    if x.numel() <= BINS:
        return x, y
    ordered = x.sort().values
    low, high = ordered[len(x) // 50], ordered[-1 - len(x) // 50]
    share = ((x - low) / (high - low).clamp(min=1e-30)).clamp(0, 1)
    index = (share * (BINS - 1)).long()
    weight = 1 / torch.bincount(index, minlength=BINS)[index].double()
    generator = torch.Generator(x.device).manual_seed(0)
    total = weight.cumsum(0)
    drawn = (
        torch.rand(SCORE_SAMPLES, generator=generator, dtype=x.dtype, device=x.device) * total[-1]
    )
    chosen = torch.searchsorted(total, drawn).clamp(max=len(x) - 1)
    return x[chosen], y[chosen]


def _least_median(x: Tensor, y: Tensor) -> ScaleShift | None:
    """The best of many fits through two pairs each; None if no two x differ."""
    count = x.numel()
    if count * (count - 1) // 2 <= CANDIDATES:
        pairs = torch.tensor(list(itertools.combinations(range(count), 2)))
    else:
        generator = torch.Generator().manual_seed(0)
        pairs = torch.randint(count, (CANDIDATES, 2), generator=generator)
    a, b = pairs.to(x.device).T
    run = x[b] - x[a]
    good = run.abs() > 1e-6 * (x.amax() - x.amin())
    if not good.any():
        return None
    a, b, run = a[good], b[good], run[good]
    scale = (y[b] - y[a]) / run
    shift = y[a] - scale * x[a]
    residual = (torch.outer(scale, x) + shift.unsqueeze(1) - y).abs()
    best = residual.median(dim=1).values.argmin()
    return ScaleShift(float(scale[best]), float(shift[best]))
