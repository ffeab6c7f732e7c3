"""Raw depth made to fit what one knows: distances, another depth map, a plane to take away."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..depth_map import Depth, check_frames, check_mask, disparity, valid_pixels
from .scale_shift import ScaleShift, fit, fit_robust

FARTHEST = 1e-6  # of the nearest disparity: what lies behind infinity is put there
PLANE_TRIES = 256
ON_PLANE = 2.5 * 1.4826  # standard deviations, estimated from the median residual
SAMPLES = 20_000  # pixels of a frame that planes are fitted to


class KnownPoint(NamedTuple):
    """A pixel whose distance one knows: column, row, metres."""

    x: float
    y: float
    metres: float


def to_metres(depth: Depth, lines: list[ScaleShift]) -> Depth:
    """1/z = scale·disparity + shift of each frame, as metres.

    Where that would be behind infinity the pixel is put very far away.

    Raises:
        ValueError: a scale that is not above 0: near and far would change places.
    """
    values = torch.empty_like(depth.values, dtype=torch.float32)
    for number, line in enumerate(lines):
        if not line.scale > 0:
            raise ValueError(
                f"In image {number} (counted from 0) what is known contradicts the depth: the "
                "nearer points have the larger distances. Check the points and their order."
            )
        near = line(_frame(depth, number))
        valid = near[valid_pixels(depth, number)]
        nearest = float(valid.amax()) if valid.numel() else 1.0
        values[number] = near.clamp(min=FARTHEST * nearest).reciprocal()
    return depth._replace(values=values, kind="metres")


def align_to_points(depth: Depth, points: list[KnownPoint]) -> Depth:
    """Metres from points of the first image whose distances are known.

    One point gives a scale; two or more a scale and a shift, by least squares; five or more
    robustly, so that a wrong one does no harm. All frames get the same scale and shift.

    Raises:
        ValueError: no points, one outside of the image or without depth, a distance that is not
            above 0, or points that contradict the depth.
    """
    check_frames(depth)
    height, width = depth.values.shape[-2:]
    if not points:
        raise ValueError("There are no points. Give at least one as x, y, metres.")
    frame, valid = _frame(depth, 0), valid_pixels(depth, 0)
    found = []
    for x, y, metres in points:
        column, row = int(x), int(y)
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(
                f"The point ({x:g}, {y:g}) is outside of the image, which is {width}×{height}."
            )
        if not metres > 0:
            raise ValueError(
                f"The point ({x:g}, {y:g}) is {metres:g} metres away; it must be more than 0."
            )
        if not valid[row, column]:
            raise ValueError(f"There is no depth at the point ({x:g}, {y:g}). Choose another.")
        found.append(float(frame[row, column]))
    x, y = torch.tensor(found), 1 / torch.tensor([point.metres for point in points])
    line = _scale_only(x, y) if len(points) == 1 else fit_robust(x, y)
    return to_metres(depth, [line] * len(depth.values))


def align_to_mask(depth: Depth, mask: Tensor, metres: float) -> Depth:
    """Metres from a surface that is everywhere as far away: a scale, by its median.

    Args:
        depth: raw depth.
        mask: B×H×W or 1×H×W, above 0.5 on the surface.
        metres: its distance.

    Raises:
        ValueError: a mask of another size or without a pixel, or a distance not above 0.
    """
    check_frames(depth)
    mask = check_mask(mask, depth)
    if not metres > 0:
        raise ValueError(f"The distance is {metres:g} metres; it must be more than 0.")
    lines = []
    for number in range(len(depth.values)):
        known = _frame(depth, number)[mask[number] & valid_pixels(depth, number)]
        if not known.numel():
            raise ValueError(f"The mask of image {number} (counted from 0) has no depth under it.")
        lines.append(_scale_only(known.median().view(1), torch.tensor([1 / metres])))
    return to_metres(depth, lines)


def align_to_reference(
    depth: Depth, reference: Depth, mask: Tensor | None = None, robust: bool = True
) -> Depth:
    """The scale and the shift of another depth map, frame by frame.

    Args:
        depth: raw depth.
        reference: of the same size; one frame for all, or as many.
        mask: B×H×W or 1×H×W, above 0.5 where the two are compared; None: everywhere.
        robust: up to half of the pixels may disagree.

    Returns:
        The depth in the reference's kind.

    Raises:
        ValueError: other sizes, or too few pixels where both are valid.
    """
    check_frames(depth)
    count, size = len(depth.values), depth.values.shape[-2:]
    if reference.values.shape[-2:] != size or len(reference.values) not in (1, count):
        found, wanted = (
            "×".join(map(str, shape)) for shape in (reference.values.shape, depth.values.shape)
        )
        raise ValueError(
            f"The reference is {found} (frames × height × width) and the depth {wanted}; they "
            "must have the same size, and the reference one frame or as many."
        )
    chosen = None if mask is None else check_mask(mask, depth)
    lines = []
    for number in range(count):
        other = min(number, len(reference.values) - 1)
        both = valid_pixels(depth, number) & valid_pixels(reference, other)
        if chosen is not None:
            both &= chosen[number]
        x, y = _frame(depth, number)[both], _frame(reference, other)[both]
        lines.append(fit_robust(x, y) if robust else fit(x, y))
    if reference.kind == "inverse":
        values = torch.stack([line(_frame(depth, i)) for i, line in enumerate(lines)])
        return depth._replace(values=values, kind="inverse")
    return to_metres(depth, lines)._replace(kind=reference.kind)


class Flattened(NamedTuple):
    """Depth without its dominant plane.

    Attributes:
        depth: inverse depth above the plane: 0 on it, positive in front of it.
        plane: B×H×W bool, the pixels that lie in it.
    """

    depth: Depth
    plane: Tensor


def remove_plane(depth: Depth, mask: Tensor | None = None) -> Flattened:
    """Subtract the plane that most pixels lie in: a floor, a table, a wall.

    A plane in space is one in inverse depth too, a·column + b·row + c, whatever the camera and
    the model's scale and shift. It is found by least median of squares over random triples
    (the same ones at every call) and fitted to its inliers.

    Args:
        depth: raw depth of any kind.
        mask: B×H×W or 1×H×W, above 0.5 where the plane is to be looked for; None: everywhere.

    Raises:
        ValueError: a mask of another size, or fewer than three pixels to fit to.
    """
    check_frames(depth)
    chosen = None if mask is None else check_mask(mask, depth)
    height, width = depth.values.shape[-2:]
    row, column = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    grid = torch.stack([column, row, torch.ones_like(row)], dim=-1)
    values = torch.empty_like(depth.values, dtype=torch.float32)
    on_plane = torch.zeros_like(depth.values, dtype=torch.bool)
    for number in range(len(depth.values)):
        frame, where = _frame(depth, number), valid_pixels(depth, number)
        looked_at = where if chosen is None else where & chosen[number]
        plane, reach = _fit_plane(grid[looked_at], frame[looked_at])
        above = frame - grid @ plane
        values[number] = torch.where(where, above, 0.0)
        on_plane[number] = where & (above.abs() <= reach)
    return Flattened(depth._replace(values=values, kind="inverse"), on_plane)


def _frame(depth: Depth, number: int) -> Tensor:
    """Nearness of one frame, H×W float32."""
    return disparity(depth.frame(number))[0]


def _scale_only(x: Tensor, y: Tensor) -> ScaleShift:
    if not x > 0:
        raise ValueError(
            f"The raw depth there is {float(x):g}, which no scale takes to a distance. Choose a "
            "nearer point, or give two."
        )
    return ScaleShift(float(y / x), 0.0)


def _fit_plane(grid: Tensor, values: Tensor) -> tuple[Tensor, float]:
    """Three coefficients, and how far from it a pixel may be to count as in the plane."""
    if len(values) < 3:
        raise ValueError(f"A plane needs three pixels with depth; {len(values)} were given.")
    step = max(1, len(values) // SAMPLES)
    grid, values = grid[::step], values[::step]
    generator = torch.Generator().manual_seed(0)
    triples = torch.randint(len(values), (PLANE_TRIES, 3), generator=generator)
    corners, heights = grid[triples], values[triples]
    spread_out = torch.linalg.det(corners).abs() > 1e-3
    if not spread_out.any():
        plane = torch.linalg.lstsq(grid.double(), values.double()).solution.float()
    else:
        planes = torch.linalg.solve(corners[spread_out], heights[spread_out])
        some = slice(None, None, max(1, len(values) // 1024))
        residual = (grid[some] @ planes.T - values[some].unsqueeze(1)).abs()
        plane = planes[residual.median(dim=0).values.argmin()]
    floor = 1e-4 * float(values.amax() - values.amin())
    reach = floor
    for _ in range(3):
        residual = (grid @ plane - values).abs()
        reach = max(ON_PLANE * float(residual.median()), floor)
        inlier = residual <= reach
        if inlier.sum() < 3:
            break
        plane = torch.linalg.lstsq(grid[inlier].double(), values[inlier].double()).solution.float()
    return plane, reach
