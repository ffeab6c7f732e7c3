"""More detail from any depth model: overlapping tiles, a region of interest, mirrored passes.

A network looks at an image at a few hundred pixels; a part of the image at the same few
hundred shows it finer things, in a scale and a shift of the part's own. Each part is aligned
to the pass over the whole image and faded into it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ..depth_map import Depth, check_mask, disparity, from_disparity
from ..geometry.scale_shift import ScaleShift, fit_robust
from .chunks import Progress
from .guided_filter import follow_edges

COMPARED = 65_536  # pixels of a tile that decide its scale and shift
SCALES = (0.2, 5.0)  # the aligned part's spread over the whole's; else they do not agree
WRAP = 0.25  # share of a side that is repeated beyond each end in the circular mode
MARGIN = 0.15  # share of a painted region's box that is added on each side
THINNEST = 1 / 3  # of a region's box: its short side over its long one, if the image allows

Infer = Callable[[Tensor], Depth]
Circular = Literal["off", "horizontal", "both"]


@dataclass(frozen=True)
class Detail:
    """What to spend time on.

    Attributes:
        tiles: the image is cut into tiles × tiles parts; 1: not at all.
        overlap: share of a tile that it has in common with its neighbour, 0.05 to 0.5.
        flip: average with the mirrored image's depth.
        circular: sides that continue at the opposite one: panoramas, tileable textures.
        edge_width: pixels; soft edges of the depth about as wide as this follow the image's
            edges, see `follow_edges`. 0: not at all.
    """

    tiles: int = 1
    overlap: float = 0.25
    flip: bool = False
    circular: Circular = "off"
    edge_width: int = 0

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: one sentence that says what to change.
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


class Box(NamedTuple):
    """Rows top … bottom − 1 and columns left … right − 1 of an image."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, values: Tensor) -> Tensor:
        """The part of …×H×W; a view."""
        return values[..., self.top : self.bottom, self.left : self.right]


def infer_detail(
    infer: Infer,
    images: Tensor,
    detail: Detail,
    region: Tensor | None = None,
    progress: Progress | None = None,
) -> Depth:
    """Estimate depth frame by frame, in whole and in parts.

    One part of one image is estimated at a time: memory beside the result is that of one
    image, however many there are.

    Args:
        infer: images B×3×H×W → raw depth at their size; `DepthModel.infer`.
        images: B×3×H×W in [0, 1].
        detail: see `Detail`.
        region: B×H×W or 1×H×W mask, above 0.5 where one more part is looked at closely.
        progress: called with (images done, images in all) after every image; may raise.

    Raises:
        ValueError: settings that cannot be, no images, or a mask of another size.
    """
    detail.check()
    count, _, height, width = images.shape
    if count == 0:
        raise ValueError("There are no images. Connect at least one.")
    pad = (
        round(WRAP * height) if detail.circular == "both" else 0,
        round(WRAP * width) if detail.circular != "off" else 0,
    )
    values = torch.empty(count, height, width)
    sky: Tensor | None = None
    whole: Depth | None = None
    masks = None
    if region is not None:
        masks = check_mask(region, Depth(values, "inverse"))
    for number in range(count):
        wrapped = _wrap(images[number : number + 1], pad)
        whole = _mirrored(infer, wrapped, detail.flip)
        parts = _grid((wrapped.shape[-2], wrapped.shape[-1]), detail)
        weights = [_ramp(box, wrapped.shape[-2:], detail.overlap) for box in parts]
        near = disparity(whole)[0].clone()
        _blend(near, whole, infer, wrapped, parts, weights, detail.flip)
        near = _unwrap(near, pad)
        if masks is not None and masks[number].any():
            box = _box_around(masks[number])
            weight = _feather(box.of(masks[number]).float())
            image = images[number : number + 1]
            anchor = whole._replace(values=from_disparity(near, whole.kind).unsqueeze(0))
            _blend(near, anchor, infer, image, [box], [weight], detail.flip)
        if detail.edge_width:
            around = _wrap(near.view(1, 1, height, width), pad)[0, 0]
            near = follow_edges(around, wrapped[0], detail.edge_width)
            near = near[pad[0] : pad[0] + height, pad[1] : pad[1] + width]
        values[number] = from_disparity(near, whole.kind)
        if whole.sky is not None:
            sky = torch.empty_like(values) if sky is None else sky
            sky[number] = _unwrap(whole.sky[0], pad)
        if progress is not None:
            progress(number + 1, count)
    assert whole is not None
    camera = whole.intrinsics if detail.circular == "off" else None
    return whole._replace(
        values=values,
        sky=sky,
        intrinsics=None if camera is None else camera[:1].expand(count, 3, 3),
    )


def _blend(
    near: Tensor,
    anchor: Depth,
    infer: Infer,
    image: Tensor,
    boxes: list[Box],
    weights: list[Tensor],
    flip: bool,
) -> None:
    """Fade the aligned parts into the disparity H×W, in place.

    Where the weights of several parts add to more than 1 their mean is taken; where they add
    to less, what is there already has the rest.
    """
    if not boxes:
        return
    total, share = torch.zeros_like(near), torch.zeros_like(near)
    base = disparity(anchor)[0]
    for box, weight in zip(boxes, weights, strict=True):
        part = disparity(_mirrored(infer, box.of(image), flip))[0]
        line = _agree(part, box.of(base))
        if line is None:
            continue
        box.of(total).add_(weight * line(part))
        box.of(share).add_(weight)
    near.mul_((1 - share).clamp_(min=0)).add_(total / share.clamp(min=1))


def _agree(part: Tensor, base: Tensor) -> ScaleShift | None:
    """What brings a part to the pass over the whole; None if it shows nothing that agrees."""
    step = max(1, round((part.numel() / COMPARED) ** 0.5))
    x, y = part[::step, ::step].flatten(), base[::step, ::step].flatten()
    if not (x.amax() - x.amin() > 1e-6 * x.abs().amax()) or y.amin() == y.amax():
        return None
    line = fit_robust(x, y)
    share = line.scale * _spread(x) / max(_spread(y), 1e-30)
    return line if SCALES[0] <= share <= SCALES[1] else None


def _spread(values: Tensor) -> float:
    return float((values - values.median()).abs().mean())


def _mirrored(infer: Infer, image: Tensor, flip: bool) -> Depth:
    """Depth of one image; with `flip` its mean with the mirrored image's, aligned to it."""
    depth = infer(image)
    if not flip:
        return depth
    mirrored = infer(image.flip(-1))
    x, y = disparity(mirrored)[0].flip(-1), disparity(depth)[0]
    line = _agree(x, y)
    if line is None:
        return depth
    return depth._replace(values=from_disparity((y + line(x)) / 2, depth.kind).unsqueeze(0))


def _grid(size: tuple[int, int], detail: Detail) -> list[Box]:
    if detail.tiles == 1:
        return []
    rows, columns = (_spans(side, detail.tiles, detail.overlap) for side in size)
    return [Box(*row, *column) for row, column in product(rows, columns)]


def _spans(side: int, tiles: int, overlap: float) -> list[tuple[int, int]]:
    """Starts and ends of evenly spread tiles that cover 0 … side."""
    length = min(side, max(1, round(side / (tiles - (tiles - 1) * overlap))))
    starts = [round(i * (side - length) / (tiles - 1)) for i in range(tiles)]
    return [(start, start + length) for start in starts]


def _ramp(box: Box, size: torch.Size, overlap: float) -> Tensor:
    """Weights that fall to 0 toward a tile's neighbours and stay 1 at the image's border."""
    sides = []
    for start, end, side in ((box.top, box.bottom, size[0]), (box.left, box.right, size[1])):
        length = end - start
        fade = max(1, round(overlap * length))
        place = torch.arange(length) + 0.5
        low = torch.ones(length) if start == 0 else (place / fade).clamp(max=1)
        high = torch.ones(length) if end == side else ((length - place) / fade).clamp(max=1)
        sides.append(_smooth(torch.minimum(low, high)))
    return torch.outer(*sides)


def _smooth(share: Tensor) -> Tensor:
    """0 … 1 with level ends; s(x) + s(1 − x) is 1, so that overlapping tiles add to 1."""
    return share * share * (3 - 2 * share)


def _box_around(mask: Tensor) -> Box:
    """The painted region's box with a margin that the model sees as its surroundings."""
    painted = [along.nonzero().flatten() for along in (mask.any(dim=1), mask.any(dim=0))]
    ends = [(int(places[0]), int(places[-1]) + 1) for places in painted]
    # A model that covers its own side with the short one makes a thin strip endlessly long.
    least = THINNEST * max(end - start for start, end in ends)
    spans = []
    for (start, end), side in zip(ends, mask.shape, strict=True):
        margin = max(1, round(MARGIN * (end - start)), math.ceil((least - (end - start)) / 2))
        spans += [max(0, start - margin), min(side, end + margin)]
    return Box(*spans)


def _feather(mask: Tensor) -> Tensor:
    """A soft edge outside and inside of a region's own, within its box."""
    reach = max(1, round(0.4 * MARGIN * min(mask.shape)))
    kernel = 2 * reach + 1
    soft = mask.view(1, 1, *mask.shape)
    for _ in range(2):  # two boxes make a tent
        soft = torch.nn.functional.avg_pool2d(
            soft, kernel, stride=1, padding=reach, count_include_pad=False
        )
    return soft[0, 0]


def _wrap(image: Tensor, pad: tuple[int, int]) -> Tensor:
    if pad == (0, 0):
        return image
    return torch.nn.functional.pad(image, (pad[1], pad[1], pad[0], pad[0]), mode="circular")


def _unwrap(near: Tensor, pad: tuple[int, int]) -> Tensor:
    """Cut off what was repeated, and fade both views of the ends into each other."""
    for dim, reach in enumerate(pad):
        if not reach:
            continue
        side = near.shape[dim] - 2 * reach
        out = near.narrow(dim, reach, side).clone()
        # 1/2 at the seam, where both views count alike, to 0 at `reach` pixels from it.
        fade = 0.5 * _smooth(1 - (torch.arange(reach) + 0.5) / reach)
        back = fade.flip(0)
        if dim == 0:
            fade, back = fade.unsqueeze(1), back.unsqueeze(1)
        start, end = out.narrow(dim, 0, reach), out.narrow(dim, side - reach, reach)
        start.lerp_(near.narrow(dim, reach + side, reach), fade.expand_as(start))
        end.lerp_(near.narrow(dim, 0, reach), back.expand_as(end))
        near = out
    return near
