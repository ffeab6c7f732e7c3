"""Feature maps as pictures: principal components, similarity, clusters, or one number a cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from ..render import colorize
from .clusters import PALETTE, fit_clusters, nearest_centre
from .components import align_in_order, component_scores, sample_cells, scores_to_rgb
from .feature_map import FeatureMap
from .grid import Point, point_to_cell

Visualization = Literal["pca", "norm", "channel", "mean", "similarity", "clusters"]
VISUALIZATIONS: tuple[Visualization, ...] = get_args(Visualization)

NO_VALUE = 0.16  # grey of cells without a value


@dataclass(frozen=True)
class MapStyle:
    """How to draw feature maps.

    Attributes:
        visualization: ``"pca"``: the three main components as red, green and blue, each map's
            aligned with those of the map before it; ``"norm"``: L2 norm over channels;
            ``"mean"`` over channels; ``"channel"``: one of them; ``"similarity"``: cosine
            similarity to the cell at `point`, from 0 (and below) to 1; ``"clusters"``:
            k-means. A map of one channel is drawn as it is, whatever the choice.
        shared_fit: fit components or clusters to all maps at once, not to each map.
        channel: index of the channel, from 0.
        clusters: how many clusters.
        point: x and y in 0 to 1.
        colormap: a name of `render.COLORMAPS`.
    """

    visualization: Visualization = "pca"
    shared_fit: bool = False
    channel: int = 0
    clusters: int = 6
    point: Point = (0.5, 0.5)
    colormap: str = "viridis"


class Picture(NamedTuple):
    """A map as a picture: B×rows×columns×3 in [0, 1], and the range of its values in words."""

    map: FeatureMap
    rgb: Tensor
    scale: str


def visualize(maps: Sequence[FeatureMap], style: MapStyle) -> list[Picture]:
    """Draw feature maps. A colour means the same in all images of a batch.

    Raises:
        ValueError: unknown visualization, no such channel, a number of clusters out of range,
            a point outside the image, or a shared fit of maps with different channels.
    """
    if style.visualization not in VISUALIZATIONS:
        raise ValueError(
            f"There is no visualization {style.visualization!r}; choose one of "
            f"{', '.join(VISUALIZATIONS)}."
        )
    if all(feature_map.values.shape[1] == 1 for feature_map in maps):
        return [_draw_scalar(feature_map, style) for feature_map in maps]
    if style.visualization == "pca":
        return _draw_components(maps, style)
    if style.visualization == "clusters":
        return [p for group in _fit_groups(maps, style) for p in _draw_clusters(group, style)]
    return [_draw_scalar(feature_map, style) for feature_map in maps]


def _draw_components(maps: Sequence[FeatureMap], style: MapStyle) -> list[Picture]:
    groups = _fit_groups(maps, style)
    scores = [component_scores([m.values for m in group]) for group in groups]
    if style.shared_fit:
        rgb = scores_to_rgb(scores[0])
    else:
        aligned = align_in_order([one for (one,) in scores])
        rgb = [scores_to_rgb([one])[0] for one in aligned]
    return [Picture(m, one.nan_to_num(NO_VALUE), "") for m, one in zip(maps, rgb, strict=True)]


def _draw_clusters(group: Sequence[FeatureMap], style: MapStyle) -> list[Picture]:
    if not 2 <= style.clusters <= len(PALETTE):
        raise ValueError(
            f"{style.clusters} clusters were requested; choose 2 to {len(PALETTE)}: more colours "
            "cannot be told apart."
        )
    centres = fit_clusters(sample_cells([m.values for m in group]), style.clusters)
    palette = torch.tensor(PALETTE) / 255
    pictures = []
    for feature_map in group:
        rgb = []
        for image in feature_map.values:
            labels = nearest_centre(image.nan_to_num().flatten(1).T, centres)
            rgb.append(palette[labels].view(*image.shape[1:], 3))
        has_no_value = feature_map.values[:, 0].isnan().unsqueeze(-1)
        whole = torch.where(has_no_value, NO_VALUE, torch.stack(rgb))
        pictures.append(Picture(feature_map, whole, f"{len(centres)} clusters"))
    return pictures


def _fit_groups(maps: Sequence[FeatureMap], style: MapStyle) -> list[list[FeatureMap]]:
    """The maps that share a fit."""
    if not style.shared_fit:
        return [[feature_map] for feature_map in maps]
    channels = [feature_map.values.shape[1] for feature_map in maps]
    if len(set(channels)) > 1:
        raise ValueError(
            f"These maps have {', '.join(map(str, channels))} channels, so they cannot share a "
            "fit; turn the shared fit off."
        )
    return [list(maps)]


def _draw_scalar(feature_map: FeatureMap, style: MapStyle) -> Picture:
    values = reduce_channels(feature_map, style)  # B×rows×columns
    is_cosine = style.visualization == "similarity" and feature_map.values.shape[1] > 1
    low, high = (0.0, 1.0) if is_cosine else _range(values)
    unit = ((values - low) / max(high - low, 1e-30)).clamp(0, 1).nan_to_num()
    rgb = colorize(unit, style.colormap)
    rgb = torch.where(values.isnan().unsqueeze(-1), NO_VALUE, rgb)
    return Picture(feature_map, rgb, f"{low:.2g} … {high:.2g}")


def reduce_channels(feature_map: FeatureMap, style: MapStyle) -> Tensor:
    """One number a cell, B×rows×columns.

    Raises:
        ValueError: there is no such channel, or the point is outside the image.
    """
    values = feature_map.values
    channels = values.shape[1]
    if channels == 1:
        return values[:, 0]
    if style.visualization == "norm":
        return values.norm(dim=1)
    if style.visualization == "mean":
        return values.mean(dim=1)
    if style.visualization == "similarity":
        # One image at a time: a copy of the maps of all images can be large.
        return torch.cat([cosine_similarity(image, style.point) for image in values.split(1)])
    if not 0 <= style.channel < channels:
        raise ValueError(
            f"Channel {style.channel} was requested, but {feature_map.label} has {channels} "
            f"channels; choose 0 to {channels - 1}."
        )
    return values[:, style.channel]


def cosine_similarity(values: Tensor, point: Point) -> Tensor:
    """Cosine similarity of every cell to the one at a point of the same image.

    Args:
        values: B×C×rows×columns.
        point: x and y in 0 to 1.

    Returns:
        B×rows×columns in [−1, 1].
    """
    row, column = point_to_cell(point, (values.shape[-2], values.shape[-1]))
    vectors = values / values.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return (vectors * vectors[:, :, row, column, None, None]).sum(dim=1).clamp(-1, 1)


def _range(values: Tensor) -> tuple[float, float]:
    finite = values[~values.isnan()]
    return float(finite.min()), float(finite.max())
