"""Scale and shift that bring one set of values to another: y ≈ scale·x + shift."""

import itertools
from typing import NamedTuple

import torch
from torch import Tensor

CANDIDATES = 96  # lines that the robust fit tries
JUDGES = 1024  # pairs of values that it judges them by
BINS = 64  # stretches of x that count alike among them
FEWEST_FOR_ROBUST = 5  # with fewer, outliers cannot be told from the rest
INLIER = 2.5  # standard deviations, estimated from the median residual
SIGMA_PER_MEDIAN = 1.4826  # of a normal distribution's absolute values


class ScaleShift(NamedTuple):
    """y = scale·x + shift."""

    scale: float
    shift: float

    def __call__(self, x: Tensor) -> Tensor:
        """The line at `x`."""
        return x * self.scale + self.shift


def fit(x: Tensor, y: Tensor, symmetric: bool = False) -> ScaleShift:
    """The line through pairs of values, N each, by least squares.

    Args:
        x, y: float, on one device.
        symmetric: noise is in both, so the scale is the ratio of the spreads (the reduced
            major axis). Fits of a long chain of neighbours then do not shrink toward 0.

    Raises:
        ValueError: fewer than two pairs, or all x the same: no scale fits.
    """
    x, y = x.double(), y.double()
    spread = x.var(correction=0) if x.numel() else torch.tensor(0.0)
    if x.numel() < 2 or not spread > 1e-12 * x.abs().max() ** 2:
        raise ValueError(
            f"A scale and a shift need two values that differ; {x.numel()} were given"
            f"{', all the same' if x.numel() > 1 else ''}."
        )
    mean_x, mean_y = x.mean(), y.mean()
    if symmetric:
        scale = (y.var(correction=0) / spread).sqrt()
    else:
        scale = ((x - mean_x) * (y - mean_y)).mean() / spread
    return ScaleShift(float(scale), float(mean_y - scale * mean_x))


def fit_robust(x: Tensor, y: Tensor, symmetric: bool = False) -> ScaleShift:
    """As `fit`, with up to half of the pairs wrong.

    Lines through random pairs (the same ones at every call) compete by their median residual,
    "least median of squares" (Rousseeuw 1984); the best one's inliers are then fitted by
    least squares. The judges are a sample in which every stretch of x counts alike, so that a
    sky or a wall of one value does not outvote the rest.

    Raises:
        ValueError: as for `fit`.
    """
    if x.numel() < FEWEST_FOR_ROBUST:
        return fit(x, y, symmetric)
    x, y = x.double(), y.double()
    line = _least_median(*_balanced(x, y)) or fit(x, y, symmetric)
    floor = 1e-6 * float((y - y.median()).abs().median() + y.abs().max() * 1e-3)
    for _ in range(3):
        residual = (line(x) - y).abs()
        inlier = residual <= max(INLIER * SIGMA_PER_MEDIAN * float(residual.median()), floor)
        chosen = x[inlier]
        if chosen.numel() < 2 or chosen.amin() == chosen.amax():
            break
        line = fit(chosen, y[inlier], symmetric)
    return line


def _balanced(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """`JUDGES` pairs, drawn so that x is spread evenly over its range; few pairs as they are."""
    if x.numel() <= BINS:
        return x, y
    ordered = x.sort().values
    low, high = ordered[len(x) // 50], ordered[-1 - len(x) // 50]
    share = ((x - low) / (high - low).clamp(min=1e-30)).clamp(0, 1)
    place = (share * (BINS - 1)).long()
    weight = 1 / torch.bincount(place, minlength=BINS)[place].double()
    generator = torch.Generator(x.device).manual_seed(0)
    total = weight.cumsum(0)
    drawn = torch.rand(JUDGES, generator=generator, dtype=x.dtype, device=x.device) * total[-1]
    chosen = torch.searchsorted(total, drawn).clamp(max=len(x) - 1)
    return x[chosen], y[chosen]


def _least_median(x: Tensor, y: Tensor) -> ScaleShift | None:
    """The best of many lines through two pairs each; None if no two x differ."""
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
