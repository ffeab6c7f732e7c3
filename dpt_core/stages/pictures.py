"""Maps of many channels as pictures: colours of principal components, similarity, regions.

Images are drawn one at a time, since a copy of the maps of all can be large.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from ..render import colorize
from .blocks import Point, cell_at
from .features import FeatureMap

How = Literal["pca", "norm", "channel", "mean", "similarity", "regions"]
HOWS: tuple[How, ...] = get_args(How)

SAMPLES = 16384  # cells that components and regions are fitted to, evenly spread
PERCENTILES = (0.01, 0.99)  # of the components: outliers do not take the colours from the rest
ROUNDS = 20  # of k-means
NO_VALUE = 0.16  # grey of cells without a value

# Region colours: hues far apart at one lightness, the largest region first.
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


@dataclass(frozen=True)
class MapStyle:
    """How to show maps.

    Attributes:
        how: ``"pca"``: the three main components as red, green and blue; ``"norm"``: L2
            norm over channels; ``"channel"``; ``"mean"`` over channels; ``"similarity"``:
            cosine similarity to the cell at `point`, 0 and below is the low end;
            ``"regions"``: k-means on the cells' vectors. A map of one channel is shown as
            it is, whatever is asked.
        together: components or regions are fitted to all maps at once and not map by map.
        channel: number of the channel, from 0.
        regions: how many.
        point: x and y in 0 to 1.
        colormap: a name of `render.COLORMAPS`.
    """

    how: How = "pca"
    together: bool = False
    channel: int = 0
    regions: int = 6
    point: Point = (0.5, 0.5)
    colormap: str = "viridis"


class Picture(NamedTuple):
    """A map as a picture: B×rows×columns×3 in [0, 1], and the range of its values in words."""

    map: FeatureMap
    rgb: Tensor
    scale: str


def visualize(maps: Sequence[FeatureMap], style: MapStyle) -> list[Picture]:
    """Make pictures of maps; colours mean the same in all images of a batch.

    Raises:
        ValueError: there is no such way to show, or a map cannot be shown so.
    """
    if style.how not in HOWS:
        raise ValueError(f"There is no way {style.how!r}; choose one of {', '.join(HOWS)}.")
    if style.how in ("pca", "regions"):
        groups = _groups(maps, style)
        draw = _show_pca if style.how == "pca" else _show_regions
        return [picture for group in groups for picture in draw(group, style)]
    return [_show_scalar(stage, style) for stage in maps]


# ---- one number a cell


def _show_scalar(stage: FeatureMap, style: MapStyle) -> Picture:
    values = reduce(stage, style)
    ranged = style.how == "similarity" and stage.values.shape[1] > 1
    low, high = (0.0, 1.0) if ranged else _range(values)
    unit = ((values - low) / max(high - low, 1e-30)).clamp(0, 1).nan_to_num()
    rgb = colorize(unit, style.colormap)
    rgb = torch.where(values.isnan().unsqueeze(-1), NO_VALUE, rgb)
    return Picture(stage, rgb, f"{low:.2g} … {high:.2g}")


def reduce(stage: FeatureMap, style: MapStyle) -> Tensor:
    """One number a cell, B×rows×columns, for the ways that show one.

    Raises:
        ValueError: there is no such channel.
    """
    values = stage.values
    channels = values.shape[1]
    if channels == 1:
        return values[:, 0]
    if style.how == "norm":
        return values.norm(dim=1)
    if style.how == "mean":
        return values.mean(dim=1)
    if style.how == "similarity":
        return torch.cat([similarity(one, style.point) for one in values.split(1)])
    if not 0 <= style.channel < channels:
        raise ValueError(
            f"Channel {style.channel} was asked for, but {stage.label} has {channels} channels; "
            f"choose 0 to {channels - 1}."
        )
    return values[:, style.channel]


def similarity(values: Tensor, point: Point) -> Tensor:
    """Cosine similarity of every cell to the one at a point of the same image.

    Args:
        values: B×C×rows×columns.
        point: x and y in 0 to 1.

    Returns:
        B×rows×columns in [−1, 1].
    """
    row, column = cell_at(point, (values.shape[-2], values.shape[-1]))
    vectors = values / values.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return (vectors * vectors[:, :, row, column, None, None]).sum(dim=1).clamp(-1, 1)


def _range(values: Tensor) -> tuple[float, float]:
    known = values[~values.isnan()]
    return float(known.min()), float(known.max())


# ---- principal components


class Components(NamedTuple):
    """Principal components: mean C, axes 3×C of length 1, and the range of each that is shown."""

    mean: Tensor
    axes: Tensor
    low: Tensor
    high: Tensor


def fit_components(cells: Tensor) -> Components:
    """The three main components of N×C vectors, in float64; the same input gives the same signs.

    The entry of the largest magnitude of each axis is positive. With fewer than three
    channels the missing axes are zero.
    """
    cells = cells.double()
    mean = cells.mean(dim=0)
    centred = cells - mean
    _, vectors = torch.linalg.eigh(centred.T @ centred)  # ascending
    axes = vectors.flip(1)[:, :3].T
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    axes = axes * torch.where(largest < 0, -1.0, 1.0)
    axes = torch.nn.functional.pad(axes, (0, 0, 0, 3 - len(axes)))
    low, high = _spread(centred @ axes.T)
    return Components(mean, axes, low, high)


def to_rgb(values: Tensor, components: Components) -> Tensor:
    """B×C×rows×columns → B×rows×columns×3 in [0, 1]; a component without spread is 0.5."""
    offset = components.mean @ components.axes.T
    scores = values.movedim(1, -1) @ components.axes.T.float() - offset.float()
    return _stretch(scores, components.low.float(), components.high.float())


def rgb_of_scores(scores: Tensor) -> Tensor:
    """Components rows×columns×3 → RGB in [0, 1], each over its own range."""
    return _stretch(scores, *_spread(scores.flatten(0, 1)))


def _spread(scores: Tensor) -> tuple[Tensor, Tensor]:
    low, high = torch.quantile(scores, torch.tensor(PERCENTILES).to(scores), dim=0)
    return low, high


def _stretch(scores: Tensor, low: Tensor, high: Tensor) -> Tensor:
    span = high - low
    flat = span <= 1e-6 * span.max().clamp(min=1e-12)
    return torch.where(flat, 0.5, ((scores - low) / span.clamp(min=1e-12)).clamp(0, 1))


def _show_pca(group: Sequence[FeatureMap], style: MapStyle) -> list[Picture]:
    if group[0].values.shape[1] == 1:
        return [_show_scalar(stage, style) for stage in group]
    components = fit_components(_sample(group))
    pictures = []
    for stage in group:
        rgb = [to_rgb(one.nan_to_num(), components) for one in stage.values.split(1)]
        pictures.append(Picture(stage, _without_nan(stage, torch.cat(rgb)), ""))
    return pictures


# ---- regions


def fit_regions(cells: Tensor, count: int) -> Tensor:
    """k-means (k-means++ start with a fixed seed) of N×C vectors: centres, largest region first.

    There are fewer centres than `count` when there are fewer different vectors.
    """
    generator = torch.Generator().manual_seed(0)
    cells = cells.float()
    centres = cells[torch.randint(len(cells), (1,), generator=generator)]
    nearest = torch.full((len(cells),), torch.inf)
    while len(centres) < count:
        nearest = torch.minimum(nearest, (cells - centres[-1]).square().sum(dim=1))
        total = nearest.cumsum(dim=0)
        if total[-1] <= 0:
            break
        place = torch.rand(1, generator=generator) * total[-1]
        index = torch.searchsorted(total, place).clamp(max=len(cells) - 1)
        centres = torch.cat([centres, cells[index]])
    labels = nearest_centre(cells, centres)
    for _ in range(ROUNDS):
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


def _show_regions(group: Sequence[FeatureMap], style: MapStyle) -> list[Picture]:
    if not 2 <= style.regions <= len(PALETTE):
        raise ValueError(
            f"{style.regions} regions were asked for; choose 2 to {len(PALETTE)}: more colours "
            "cannot be told apart."
        )
    centres = fit_regions(_sample(group), style.regions)
    palette = torch.tensor(PALETTE) / 255
    pictures = []
    for stage in group:
        rgb = []
        for one in stage.values:
            labels = nearest_centre(one.nan_to_num().flatten(1).T, centres)
            rgb.append(palette[labels].view(*one.shape[1:], 3))
        whole = _without_nan(stage, torch.stack(rgb))
        pictures.append(Picture(stage, whole, f"{len(centres)} regions"))
    return pictures


# ---- both


def _groups(maps: Sequence[FeatureMap], style: MapStyle) -> list[list[FeatureMap]]:
    """The maps that are fitted together."""
    if not style.together:
        return [[stage] for stage in maps]
    widths = [stage.values.shape[1] for stage in maps]
    if len(set(widths)) > 1:
        raise ValueError(
            f"These maps have {', '.join(map(str, widths))} channels, so they cannot share "
            "components; switch off fitting them together."
        )
    return [list(maps)]


def _sample(group: Sequence[FeatureMap]) -> Tensor:
    """N×C cells of all images and maps of a group, at most `SAMPLES`, none with NaN."""
    total = sum(s.values.numel() // s.values.shape[1] for s in group)
    step = -(-total // SAMPLES)
    parts = []
    for stage in group:
        images = stage.values.flatten(2)
        chosen = torch.arange(0, len(images) * images.shape[2], step)
        parts.append(images[chosen // images.shape[2], :, chosen % images.shape[2]])
    cells = torch.cat(parts)
    return cells[~cells[:, 0].isnan()]


def _without_nan(stage: FeatureMap, rgb: Tensor) -> Tensor:
    return torch.where(stage.values[:, 0].isnan().unsqueeze(-1), NO_VALUE, rgb)
