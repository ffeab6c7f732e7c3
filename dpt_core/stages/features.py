"""The feature maps of a depth model; the forward pass stays as it is."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..capture import capture
from ..depth_map import Depth, disparity, join
from ..estimate.model import DepthModel
from ..progress import Progress
from .ablation import Ablation, ablate
from .blocks import list_blocks
from .feature_map import FEATURE_NAMES, FeatureMap, FeatureSpec
from .grid import patch_grid, tokens_to_map
from .intermediates import capture_features

NO_ABLATION = Ablation()


class Features(NamedTuple):
    """The requested maps, and the depth of the same run."""

    maps: list[FeatureMap]
    depth: Depth


def extract_features(
    model: DepthModel,
    images: Tensor,
    spec: FeatureSpec,
    *,
    resolution: int | None = None,
    ablation: Ablation = NO_ABLATION,
    progress: Progress | None = None,
    max_bytes: float = math.inf,
) -> Features:
    """Estimate depth, one image at a time, and keep feature maps of the run.

    Only the requested features are captured. Attention is reduced to the rows that are
    shown, and every map is copied to the CPU as it appears.

    Args:
        model: any depth model.
        images: B×3×H×W float RGB in [0, 1].
        spec: which features.
        resolution: as for `DepthModel.infer`.
        ablation: stages to scale and blocks to leave out.
        progress: called with (images done, images in all).
        max_bytes: how much CPU memory the maps of all images may take.

    Returns:
        The maps of all images. The depth is bit for bit what `DepthModel.infer` returns.

    Raises:
        ValueError: unknown features; the model has no such block, head or query; the point
            is outside the image; there are no images; or the maps would take too much memory.
    """
    if spec.name not in FEATURE_NAMES:
        raise ValueError(
            f"There are no features {spec.name!r}; choose one of {', '.join(FEATURE_NAMES)}."
        )
    if not len(images):
        raise ValueError("There are no images; at least one was expected.")
    found: list[FeatureMap] = []
    depths: list[Depth] = []
    grid = patch_grid(model, (images.shape[-2], images.shape[-1]), resolution)
    for number in range(len(images)):
        with (
            ablate(model.net, ablation),
            torch.no_grad(),
            capture_features(model.net, spec, grid) as maps,
        ):
            depth = model.infer(images[number : number + 1], resolution, batch_size=1)
        if spec.name == "depth":
            maps = [FeatureMap("depth", disparity(depth).unsqueeze(1), "larger is nearer")]
        if not found:  # allocated once for all images, so that no map is ever held twice
            _check_memory(maps, len(images), max_bytes)
            found = [
                m._replace(values=m.values.new_empty(len(images), *m.values.shape[1:]))
                for m in maps
            ]
        for whole, one in zip(found, maps, strict=True):
            whole.values[number : number + 1] = one.values
        depths.append(depth)
        if progress is not None:
            progress(number + 1, len(images))
    return Features(found, join(depths))


def _check_memory(maps: Sequence[FeatureMap], images: int, max_bytes: float) -> None:
    needed = images * sum(m.values.nbytes for m in maps)
    if needed > max_bytes:
        raise ValueError(
            f"The maps of {images} images would take {needed / 1e9:.1f} GB of memory, but only "
            f"{max_bytes / 1e9:.1f} GB are available. Use fewer images at a time, or a lower "
            "resolution."
        )


def block_norms(
    model: DepthModel,
    images: Tensor,
    *,
    resolution: int | None = None,
    ablation: Ablation = NO_ABLATION,
    progress: Progress | None = None,
) -> tuple[Tensor, Depth]:
    """The mean L2 norm of the patch tokens after each block; arguments as `extract_features`.

    Returns:
        B×blocks norms, and the depth.
    """
    grid = patch_grid(model, (images.shape[-2], images.shape[-1]), resolution)
    names = [block.name for block in list_blocks(model.net)]

    def keep(_name: str, output: Tensor) -> Tensor:
        return tokens_to_map(output, grid).float().norm(dim=1).mean(dim=(1, 2)).cpu()

    rows: list[Tensor] = []
    depths: list[Depth] = []
    for number in range(len(images)):
        with ablate(model.net, ablation), capture(model.net, names, keep) as norms:
            depths.append(model.infer(images[number : number + 1], resolution, batch_size=1))
        rows.append(torch.cat([norms[name] for name in names]))
        if progress is not None:
            progress(number + 1, len(images))
    return torch.stack(rows), join(depths)
