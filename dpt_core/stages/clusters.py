"""k-means clusters of feature vectors."""

import torch
from torch import Tensor

ITERATIONS = 20

# Cluster colours: hues far apart at one lightness, the largest cluster first.
PALETTE = (
    (78, 121, 167),
    (242, 142, 43),
    (89, 161, 79),
    (225, 87, 89),
    (176, 122, 161),
    (237, 201, 72),
    (118, 183, 178),
    (255, 157, 167),
    (156, 117, 95),
    (186, 176, 172),
    (31, 73, 125),
    (35, 97, 52),
)


def fit_clusters(cells: Tensor, count: int) -> Tensor:
    """Centres of N×C vectors, K×C, the largest cluster first.

    k-means from a k-means++ start with a fixed seed. K is below `count` when there are fewer
    different vectors.
    """
    generator = torch.Generator().manual_seed(0)
    cells = cells.float()
    centres = cells[torch.randint(len(cells), (1,), generator=generator)]
    distances = torch.full((len(cells),), torch.inf)  # squared, to the nearest centre
    while len(centres) < count:
        distances = torch.minimum(distances, (cells - centres[-1]).square().sum(dim=1))
        total = distances.cumsum(dim=0)
        if total[-1] <= 0:
            break
        position = torch.rand(1, generator=generator) * total[-1]
        index = torch.searchsorted(total, position).clamp(max=len(cells) - 1)
        centres = torch.cat([centres, cells[index]])
    labels = nearest_centre(cells, centres)
    for _ in range(ITERATIONS):
        sums = torch.zeros_like(centres).index_add_(0, labels, cells)
        sizes = labels.bincount(minlength=len(centres)).unsqueeze(1)
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
        previous, labels = labels, nearest_centre(cells, centres)
        if torch.equal(previous, labels):
            break
    order = labels.bincount(minlength=len(centres)).argsort(descending=True, stable=True)
    return centres[order]


def nearest_centre(cells: Tensor, centres: Tensor) -> Tensor:
    """Index of the nearest of K×C centres to each of N×C vectors."""
    return (centres.square().sum(dim=1) - 2 * cells @ centres.T).argmin(dim=1)
