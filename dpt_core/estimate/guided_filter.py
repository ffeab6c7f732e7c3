"""Move the soft edges of depth to the sharp edges of its image.

The guided filter as a joint upsampler (He, Sun and Tang, "Guided Image Filtering", ECCV 2010;
He and Sun, "Fast Guided Filter", arXiv:1505.00996): at about the resolution that the network saw,
depth is fitted around every pixel as a linear function of the image's colours. The coefficients
are then enlarged and applied to the image at its full resolution, whose edges are sharp. Two
things are added: row and column are variables as well, so that a slope stays the same under any
texture, and each function is weighted by how much of the depth the colours explain; where they
explain nothing, the depth does not change.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

RADIUS = 2  # of the window around each pixel of the small map that a function is fitted to
MIN_CONTRAST = 0.02  # smallest difference in colour, in [0, 1], that counts as an edge
POSITION_RIDGE = 1e-6  # regularises rows and columns, so that maps of one row or column are solved
MIN_VARIANCE = 1e-6  # as a share of the whole map's; below it there is nothing to explain


def refine_edges(values: Tensor, image: Tensor, width: float) -> Tensor:
    """Move the soft edges of a depth map to the sharp ones of its image.

    Values stay between the minimum and the maximum around them. The functions are fitted at the
    small resolution. This takes a few times the memory of the depth map.

    Args:
        values: disparity H×W, on the CPU; not modified.
        image: 3×H×W in [0, 1], of the same size.
        width: width of the soft edges in pixels; below 2, little changes.

    Returns:
        Disparity H×W float32.

    Raises:
        ValueError: `width` is below 1.
    """
    if not width >= 1:
        raise ValueError(f"The width of the edges is {width:g} pixels; it must be at least 1.")
    values = values.float()
    size = values.shape
    rows, columns = (torch.arange(side) / width for side in size)
    guide = [*image.float().cpu(), rows.unsqueeze(1).expand(size), columns.expand(size)]
    small = [max(1, round(side / width)) for side in size]

    def shrink(one: Tensor) -> Tensor:
        return F.interpolate(one[None, None], size=small, mode="area")[0, 0].double()

    def enlarge(one: Tensor, mode: str = "bilinear") -> Tensor:
        return F.interpolate(one[None, None].float(), size=size, mode=mode)[0, 0]

    slopes, offset, trust = _fit(torch.stack([shrink(one) for one in guide]), shrink(values))
    fitted = enlarge(offset)
    for one, slope in zip(guide, slopes, strict=True):
        fitted.addcmul_(enlarge(slope), one)
    fitted += (1 - enlarge(trust)) * values
    # The range within each pixel of the small map and its neighbours.
    low, high = (
        enlarge(F.max_pool2d(F.adaptive_max_pool2d(one[None], small), 3, 1, 1)[0], "nearest")
        for one in (-values, values)
    )
    return torch.minimum(torch.maximum(fitted, -low), high)


def _fit(guide: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fit the values around every pixel as a linear function of the guide.

    Args:
        guide: K×h×w float64; the last two are rows and columns.
        values: h×w float64.

    Returns:
        Slopes K×h×w and offset h×w, each times its trust; and the trust h×w, 0 to 1: the share
        of the variance left by rows and columns that the colours explain. All are means over
        the windows that contain a pixel.
    """
    count, position = len(guide), range(len(guide) - 2, len(guide))
    mean, mean_value = _box_mean(guide), _box_mean(values)
    # (covariance of the guide + ridge) · slopes = covariance with the values: K equations at
    # every pixel, their right side in the last column.
    system = values.new_empty(count, count + 1, *values.shape)
    for i in range(count):
        for j in range(i, count):
            system[i, j] = _box_mean(guide[i] * guide[j]) - mean[i] * mean[j]
            system[j, i] = system[i, j]
        system[i, i] += POSITION_RIDGE if i in position else MIN_CONTRAST**2
        system[i, count] = _box_mean(guide[i] * values) - mean[i] * mean_value
    covariance = system[:, count].clone()
    variance = _box_mean(values * values) - mean_value**2
    by_position = torch.stack([covariance[i] ** 2 / system[i, i] for i in position]).sum(dim=0)
    for i in range(count):  # Gauss–Jordan elimination
        system[i, i:] /= system[i, i].clone()
        for j in range(count):
            if j != i:
                system[j, i:] -= system[j, i].clone() * system[i, i:]
    slopes = system[:, count]
    offset = mean_value - (slopes * mean).sum(dim=0)
    explained = (slopes * covariance).sum(dim=0) - by_position
    least = (MIN_VARIANCE * values.var(correction=0)).clamp(min=torch.finfo(values.dtype).tiny)
    trust = (explained / (variance - by_position + least)).clamp(0, 1)
    return _box_mean(trust * slopes), _box_mean(trust * offset), _box_mean(trust)


def _box_mean(maps: Tensor) -> Tensor:
    """The mean over the window around each pixel of …×h×w, cut off at the border."""
    kernel = 2 * RADIUS + 1
    pooled = F.avg_pool2d(
        maps.reshape(-1, 1, *maps.shape[-2:]), kernel, 1, RADIUS, count_include_pad=False
    )
    return pooled.view(maps.shape)
