"""Everything that takes depth agrees on which pixels are valid."""

import pytest
import torch

from dpt_core import Depth, depth_mask, layer_prompts
from dpt_core.depth_map import Kind, valid_pixels, z_depth
from dpt_core.geometry.align import MeasuredPoint, align_to_points, align_to_reference
from dpt_core.geometry.camera import intrinsics_of_fov
from dpt_core.geometry.plane import remove_plane
from dpt_core.geometry.point_map import normals, unproject
from dpt_core.render import (
    BatchRange,
    PerImageRange,
    RenderSettings,
    SteadyRange,
    control_image,
    normalise,
    render,
)

SIDE = 4
Z = torch.linspace(1, 4, SIDE * SIDE).view(SIDE, SIDE)
SKY = torch.zeros(SIDE, SIDE)
SKY[0] = 0.9  # 4 of 16 pixels


@pytest.fixture(params=["inverse", "depth", "metres"])
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def depth(kind: Kind) -> Depth:
    """One image whose upper row is sky, with values there that are nearer than all others."""
    z = torch.where(SKY > 0.3, 0.5, Z)
    values = 1 / z if kind == "inverse" else z
    return Depth(values.unsqueeze(0), kind, sky=SKY.unsqueeze(0))


NOT_SKY = SKY < 0.3


def test_twelve_of_sixteen_pixels_are_valid(depth: Depth) -> None:
    assert torch.equal(valid_pixels(depth, 0), NOT_SKY)


def test_points_and_normals_are_of_the_valid_pixels(depth: Depth) -> None:
    z = z_depth(depth, near=1, far=4)[0]
    found = unproject(z, valid_pixels(depth, 0), intrinsics_of_fov(60, SIDE, SIDE))
    assert torch.equal(found.points.isfinite().all(dim=-1), NOT_SKY)
    assert torch.equal(normals(found.points).norm(dim=-1) > 0.5, NOT_SKY)
    assert float(z[NOT_SKY].min()) >= 1  # the sky does not set the range


def test_a_depth_mask_is_0_in_the_sky(depth: Depth) -> None:
    assert torch.equal(depth_mask(depth, 0, 100)[0].bool(), NOT_SKY)
    nearest = depth_mask(depth, 0, 1)[0]
    assert nearest.nonzero().tolist() == [[1, 0]]


@pytest.mark.parametrize("span", [PerImageRange(), BatchRange(), BatchRange(1, 99), SteadyRange()])
def test_a_rendered_frame_is_stretched_over_the_valid_pixels(depth: Depth, span) -> None:
    (frame,) = render(depth, RenderSettings(range=span))
    assert frame.valid is not None
    assert torch.equal(frame.valid, NOT_SKY)
    assert (frame.grey[0] == 0).all()
    assert frame.grey[1, 0] == frame.grey.max() == 1
    assert frame.grey[-1, -1] == 0


def test_the_control_image_is_the_rendered_one(depth: Depth) -> None:
    (frame,) = render(depth)
    assert torch.equal(control_image(depth)[0], frame.grey)


def test_the_control_image_of_valid_depth_is_min_max_of_all_pixels(kind: Kind) -> None:
    values = torch.rand(2, 9, 7, generator=torch.Generator().manual_seed(0)) + 0.1
    near = values if kind == "inverse" else 1 / values
    marked = Depth(values, kind, sky=torch.zeros_like(values), valid=values > 0)
    for depth in (Depth(values, kind), marked):
        torch.testing.assert_close(control_image(depth), normalise(near), rtol=0, atol=1e-6)


def test_the_control_image_leaves_out_invalid_pixels() -> None:
    values = torch.tensor([[[1.0, 2.0, 3.0, 900.0, torch.nan]]])
    depth = Depth(values, "inverse", valid=values < 100)
    assert control_image(depth).tolist() == [[[0, 0.5, 1, 0, 0]]]
    nothing = depth._replace(valid=torch.zeros_like(values, dtype=torch.bool))
    assert control_image(nothing).tolist() == [[[0] * 5]]


def test_the_control_image_refuses_nan() -> None:
    values = torch.rand(2, 3, 3)
    values[1, 2, 2] = torch.nan
    with pytest.raises(ValueError, match=r"image 1 .* NaN or infinite"):
        control_image(Depth(values, "inverse"))


def test_prompts_are_not_in_the_sky(depth: Depth) -> None:
    (prompts,) = layer_prompts(depth, 2, least_area=0)
    assert len(prompts.boxes) >= 2
    assert (prompts.boxes[:, 1] >= 1).all()
    assert (prompts.points[..., 1] >= 1).all()


def test_alignment_ignores_the_sky(depth: Depth) -> None:
    with pytest.raises(ValueError, match="no valid depth at the point"):
        align_to_points(depth, [MeasuredPoint(0, 0, 2.0)])
    reference = Depth(2 * Z.unsqueeze(0), "metres")
    aligned = align_to_reference(depth, reference, robust=False)
    torch.testing.assert_close(aligned.values[0, 1:], reference.values[0, 1:], rtol=1e-3, atol=0)


def test_the_sky_lies_in_no_plane(depth: Depth) -> None:
    flat = remove_plane(depth)
    assert not flat.plane[0, 0].any()
    assert (flat.depth.values[0, 0] == 0).all()
