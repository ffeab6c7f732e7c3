"""Principal components of feature maps as red, green and blue."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

EXACT = 256  # channels, at most, of an exact decomposition: it takes a second for 1024
SUBSPACE = 16  # directions among which the components of wider vectors are found
ITERATIONS = 8  # of the subspace iteration that finds them
SAMPLES = 16384  # cells that a fit uses, evenly spread
PERCENTILES = (0.01, 0.99)  # range of each component: outliers leave the rest its contrast
FLAT = 1e-6  # a spread below this share of the largest is rounding


class Components(NamedTuple):
    """Three principal components: the mean, C, and axes of length 1, 3×C; float64 on the CPU."""

    mean: Tensor
    axes: Tensor


def fit_components(cells: Tensor) -> Components:
    """The three main components of N×C vectors.

    The largest entry of each axis is positive, so the same input gives the same signs. With
    fewer than three channels the remaining axes are zero. Vectors of more than `EXACT`
    channels are first projected onto the `SUBSPACE` directions of the largest variance.
    """
    mean = cells.mean(dim=0)
    centred = cells - mean
    is_wide = cells.shape[1] > EXACT
    basis = main_subspace(centred, SUBSPACE if is_wide else EXACT, ITERATIONS)  # C×K
    reduced = (centred @ basis).cpu().double()  # not every device has float64
    _, vectors = torch.linalg.eigh(reduced.T @ reduced)  # ascending
    axes = (basis.cpu().double() @ vectors.flip(1)[:, :3]).T
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    axes = axes * torch.where(largest < 0, -1.0, 1.0)
    return Components(mean.cpu().double(), F.pad(axes, (0, 0, 0, 3 - len(axes))))


def main_subspace(cells: Tensor, width: int, iterations: int) -> Tensor:
    """An orthonormal basis, C×width, of the subspace in which N×C vectors are longest.

    By subspace iteration from a fixed start. At most `width` channels: the identity.
    """
    channels = cells.shape[1]
    if channels <= width:
        return torch.eye(channels).to(cells)
    basis = torch.randn(channels, width, generator=torch.Generator().manual_seed(0)).to(cells)
    for _ in range(iterations):
        # The factorisation is small, and not every device has it.
        basis = torch.linalg.qr((cells.T @ (cells @ basis)).cpu()).Q.to(cells)
    return basis


def component_scores(maps: Sequence[Tensor]) -> list[Tensor]:
    """Scores of maps on the main components of all their cells, each component of spread 1.

    Args:
        maps: B×C×rows×columns each, with the same number of channels; NaN without a value.

    Returns:
        B×rows×columns×3 each on the CPU; NaN without a value. A component without spread is 0.
    """
    mean, axes = (part.to(maps[0]) for part in fit_components(sample_cells(maps)))
    # One image at a time: a copy of the maps of all images can be large.
    scores = [
        torch.cat([(image.movedim(1, -1) @ axes.T).cpu() for image in values.split(1)])
        - (mean @ axes.T).cpu()
        for values in maps
    ]
    spread = _cells(scores).std(dim=0, correction=0)
    is_flat = spread <= FLAT * spread.max().clamp(min=FLAT)
    return [torch.where(is_flat, s * 0, s / spread) for s in scores]


def align_scores(scores: Tensor, reference: Tensor) -> Tensor:
    """Rotate B×rows×columns×3 scores to resemble those of another map (orthogonal Procrustes).

    Components of similar maps can swap or change sign; rotated, they keep their colours.

    Args:
        scores: B×rows×columns×3.
        reference: B×rows×columns×3 of the same images, with any number of rows and columns.
    """
    if reference.shape != scores.shape:
        reference = F.interpolate(
            reference.nan_to_num().movedim(-1, 1), size=scores.shape[1:3], mode="bilinear"
        ).movedim(1, -1)
    ours, theirs = (s.nan_to_num().flatten(0, 2) for s in (scores, reference))
    left, _, right = torch.linalg.svd(ours.T @ theirs)
    return scores @ (left @ right)


def align_in_order(maps: Sequence[Tensor]) -> list[Tensor]:
    """Each map's scores aligned with those of the map before it."""
    aligned: list[Tensor] = []
    for scores in maps:
        aligned.append(align_scores(scores, aligned[-1]) if aligned else scores)
    return aligned


def scores_to_rgb(maps: Sequence[Tensor]) -> list[Tensor]:
    """Scores B×rows×columns×3 → RGB in [0, 1], over one range for all maps.

    A component without spread is 0.5; NaN stays NaN.
    """
    low, high = torch.quantile(_cells(maps), torch.tensor(PERCENTILES), dim=0)
    span = high - low
    is_flat = span <= FLAT * span.max().clamp(min=FLAT)
    return [
        torch.where(
            is_flat & ~scores.isnan(), 0.5, ((scores - low) / span.clamp(min=1e-12)).clamp(0, 1)
        )
        for scores in maps
    ]


def sample_cells(maps: Sequence[Tensor]) -> Tensor:
    """N×C cells of B×C×rows×columns maps, at most `SAMPLES`, evenly spread and none with NaN."""
    total = sum(values.numel() // values.shape[1] for values in maps)
    step = -(-total // SAMPLES)
    parts = []
    for values in maps:
        images = values.flatten(2)
        chosen = torch.arange(0, len(images) * images.shape[2], step, device=values.device)
        parts.append(images[chosen // images.shape[2], :, chosen % images.shape[2]])
    cells = torch.cat(parts)
    return cells[~cells[:, 0].isnan()]


def _cells(scores: Sequence[Tensor]) -> Tensor:
    """N×3 of B×rows×columns×3 scores, sampled as the fit's cells are."""
    return sample_cells([s.movedim(-1, 1) for s in scores])
