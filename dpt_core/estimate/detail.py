"""More detail from any depth model: overlapping tiles, a region of interest, mirrored passes.

A network sees an image at a few hundred pixels. A part of the image at the same resolution shows
finer detail, with its own scale and shift; it is aligned with the pass over the whole image and
blended into it.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from ..depth_map import Depth, check_mask, disparity, from_disparity
from ..progress import Progress
from .blend import Infer, blend_passes, infer_flip_averaged
from .guided_filter import refine_edges
from .panorama import blend_seam, crop_padding, pad_circular
from .tiles import feather, region_box, tile_boxes, tile_weight

WRAP_SHARE = 0.25  # share of a side that is repeated beyond each end if opposite sides meet

Circular = Literal["off", "horizontal", "both"]


@dataclass(frozen=True)
class DetailSettings:
    """Settings of a detailed estimate.

    Attributes:
        tiles: the image is cut into tiles × tiles parts, 1 to 16; 1: not at all.
        overlap: share of a tile that overlaps its neighbour, 0.05 to 0.5.
        flip: whether to average with the depth of the mirrored image.
        circular: which opposite sides meet, as in panoramas and tileable textures.
        edge_width: soft edges of the depth, about this many pixels wide, are moved to the edges
            of the image, see `refine_edges`; 0: not at all.
    """

    tiles: int = 1
    overlap: float = 0.25
    flip: bool = False
    circular: Circular = "off"
    edge_width: int = 0

    def check(self) -> None:
        """Check that the values can be used.

        Raises:
            ValueError: a value is out of range; the message says which, and what is allowed.
        """
        if not 1 <= self.tiles <= 16:
            raise ValueError(f"tiles is {self.tiles}; it must be 1 to 16.")
        if not 0.05 <= self.overlap <= 0.5:
            raise ValueError(f"overlap is {self.overlap:g}; it must be 0.05 to 0.5.")
        if self.circular not in ("off", "horizontal", "both"):
            raise ValueError(
                f"circular is {self.circular!r}; it must be 'off', 'horizontal' or 'both'."
            )
        if self.edge_width < 0:
            raise ValueError(f"edge_width is {self.edge_width}; it must be 0 (off) or more.")


def infer_with_detail(
    infer: Infer,
    images: Tensor,
    settings: DetailSettings,
    region: Tensor | None = None,
    progress: Progress | None = None,
) -> Depth:
    """Estimate the depth of each image as a whole and in parts.

    One part of one image is estimated at a time, so memory, apart from the result, does not grow
    with the number of images.

    Args:
        infer: images B×3×H×W → raw depth at their size; `DepthModel.infer`.
        images: B×3×H×W in [0, 1].
        settings: see `DetailSettings`.
        region: mask B×H×W or 1×H×W; where it is above 0.5 is also estimated on its own.
        progress: called with (images done, total) after every image; may raise.

    Returns:
        Raw depth of the kind that `infer` returns, B×H×W.

    Raises:
        ValueError: settings that cannot be used, no images, or a mask of another size.
    """
    settings.check()
    count, _, height, width = images.shape
    if count == 0:
        raise ValueError("There are no images. Connect at least one.")
    padding = (
        round(WRAP_SHARE * height) if settings.circular == "both" else 0,
        round(WRAP_SHARE * width) if settings.circular != "off" else 0,
    )
    infer_pass = partial(infer_flip_averaged, infer) if settings.flip else infer
    values = torch.empty(count, height, width)
    sky: Tensor | None = None
    whole: Depth | None = None
    masks = None if region is None else check_mask(region, Depth(values, "inverse"))
    for number in range(count):
        image = images[number : number + 1]
        padded = pad_circular(image, padding)
        whole = infer_pass(padded)
        near = _add_tiles(disparity(whole)[0], infer_pass, padded, settings)
        near = blend_seam(near, padding)
        if masks is not None and masks[number].any():
            box = region_box(masks[number])
            weight = feather(box.crop(masks[number]))
            near = blend_passes(near, infer_pass, image, [box], [weight])
        if settings.edge_width:
            near = pad_circular(near.view(1, 1, height, width), padding)[0, 0]
            near = crop_padding(refine_edges(near, padded[0], settings.edge_width), padding)
        values[number] = from_disparity(near, whole.kind)
        if whole.sky is not None:
            sky = torch.empty_like(values) if sky is None else sky
            sky[number] = blend_seam(whole.sky[0], padding)
        if progress is not None:
            progress(number + 1, count)
    assert whole is not None
    camera = whole.intrinsics if settings.circular == "off" else None
    return whole._replace(
        values=values,
        sky=sky,
        intrinsics=None if camera is None else camera[:1].expand(count, 3, 3),
    )


def _add_tiles(values: Tensor, infer: Infer, image: Tensor, settings: DetailSettings) -> Tensor:
    """Add the finer detail of tiles to the disparity H×W of an image 1×3×H×W."""
    if settings.tiles == 1:
        return values
    size = (image.shape[-2], image.shape[-1])
    boxes = tile_boxes(size, settings.tiles, settings.overlap)
    weights = [tile_weight(box, size, settings.overlap) for box in boxes]
    return blend_passes(values, infer, image, boxes, weights)
