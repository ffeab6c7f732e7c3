"""Points and normals from depth, on surfaces whose shape is known."""

import math

import pytest
import torch
import torch.nn.functional as F

from dpt_core import Depth
from dpt_core.depth_map import valid_pixels, z_depth
from dpt_core.geometry.camera import fov_of_focal, intrinsics_of_fov, rays
from dpt_core.geometry.point_map import colorize_normals, normals, unproject

HEIGHT, WIDTH = 30, 40
CAMERA = intrinsics_of_fov(60, WIDTH, HEIGHT)


def plane(normal: tuple[float, float, float], offset: float) -> torch.Tensor:
    """z of the plane n·p = offset along every pixel's ray. H×W."""
    return offset / (rays(CAMERA, HEIGHT, WIDTH) @ torch.tensor(normal))


def everywhere(distance: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(distance, dtype=torch.bool)


def test_cameras():
    assert fov_of_focal(18) == pytest.approx(90)
    wide = intrinsics_of_fov(90, 200, 100)
    assert wide[0, 0] == pytest.approx(0.5)
    assert wide[1, 1] == pytest.approx(1.0)  # square pixels


def test_the_edge_of_the_image_is_half_the_field_of_view_away():
    looks = rays(intrinsics_of_fov(90, 400, 300), 300, 400)
    assert math.degrees(math.atan(looks[0, -1, 0])) == pytest.approx(45, abs=0.2)
    torch.testing.assert_close(looks[:, 0], looks[:, -1] * torch.tensor([-1.0, 1.0, 1.0]))
    assert looks[0, 0, 1] < 0 < looks[-1, 0, 1]  # y is down


def test_points_of_a_plane_lie_in_it():
    normal = torch.tensor([0.2, -0.4, -0.9])
    z = plane((0.2, -0.4, -0.9), -3.0)
    points = unproject(z, everywhere(z), CAMERA).points
    torch.testing.assert_close(points[..., 2], z)
    torch.testing.assert_close(points @ normal, torch.full((HEIGHT, WIDTH), -3.0))


@pytest.mark.parametrize("direction", [(0.0, 0.0, -1.0), (0.3, 0.1, -0.8), (0.0, -1.0, -0.3)])
def test_normals_of_a_plane(direction):
    expected = F.normalize(torch.tensor(direction), dim=0)
    z = plane(direction, -2.0)
    valid = (z > 0) & (z < 30)
    shown = normals(unproject(z, valid, CAMERA).points)
    inner = valid.clone()
    inner[1:] &= valid[:-1]
    inner[:-1] &= valid[1:]
    assert inner.sum() > 200
    assert ((shown[inner] @ expected) > 1 - 1e-5).all()
    assert (shown[~valid] == 0).all()


def test_the_edge_of_an_object_is_no_bevel():
    z = torch.full((HEIGHT, WIDTH), 8.0)
    z[8:20, 10:25] = 2.0
    shown = normals(unproject(z, everywhere(z), CAMERA).points)
    torch.testing.assert_close(shown, torch.tensor([0.0, 0.0, -1.0]).expand_as(shown))


def test_colours_of_normals():
    left, up, camera, none = ([-1.0, 0, 0], [0, -1.0, 0], [0, 0, -1.0], [0.0, 0, 0])
    directions = torch.tensor([left, up, camera, none])
    facing = [0.5, 0.5, 1.0]
    expected = {
        "controlnet": [[1, 0.5, 0.5], [0.5, 1, 0.5], facing, facing],
        "opengl": [[0, 0.5, 0.5], [0.5, 1, 0.5], facing, facing],
        "directx": [[0, 0.5, 0.5], [0.5, 0, 0.5], facing, facing],
    }
    for convention, colours in expected.items():
        assert colorize_normals(directions, convention).tolist() == colours
    with pytest.raises(ValueError, match="no convention 'blender'"):
        colorize_normals(directions, "blender")


def test_relative_depth_becomes_distance_between_near_and_far():
    z = plane((0.0, -1.0, -0.5), -2.0).clamp(1, 20)
    inverse = Depth((7 / z - 0.1).unsqueeze(0), "inverse")
    found = z_depth(inverse, near=float(z.min()), far=float(z.max()))
    torch.testing.assert_close(found[0], z, rtol=1e-4, atol=0)
    with pytest.raises(ValueError, match="Give near and far"):
        z_depth(inverse)


def test_metres_stay_metres_and_are_not_shared():
    metres = Depth(torch.rand(1, 3, 3) + 1, "metres")
    found = z_depth(metres)
    assert torch.equal(found, metres.values)
    assert found.data_ptr() != metres.values.data_ptr()


def test_invalid_values_do_not_set_the_range():
    values = torch.tensor([[[1.0, 2.0, 3.0, 900.0]]])
    depth = Depth(values, "inverse", valid=values < 100)
    torch.testing.assert_close(z_depth(depth, 1, 4)[0, 0, :3], torch.tensor([4, 1.6, 1.0]))


def test_sky_and_zero_metres_are_not_valid():
    depth = Depth(
        torch.tensor([[[0.0, 1.0, 2.0, torch.nan]]]),
        "metres",
        sky=torch.tensor([[[0.0, 0.0, 0.9, 0.0]]]),
    )
    assert valid_pixels(depth, 0).tolist() == [[False, True, False, False]]


def test_what_is_not_valid_is_infinitely_far():
    z = torch.full((2, 2), 3.0)
    valid = torch.tensor([[True, False], [True, True]])
    seen = unproject(z, valid, CAMERA)
    assert torch.isinf(seen.points[0, 1]).all()
    assert torch.isfinite(seen.points[valid]).all()


@pytest.mark.parametrize("degrees", [0, 180, -20, 400, math.nan])
def test_an_impossible_field_of_view_is_refused(degrees):
    with pytest.raises(ValueError, match="more than 0 and less than 180"):
        intrinsics_of_fov(degrees, 10, 10)


@pytest.mark.parametrize(
    ("depth", "near", "far", "sentence"),
    [
        (Depth(torch.rand(1, 2, 2), "inverse"), 3, 2, "near is 3 and far is 2"),
        (Depth(torch.ones(1, 2, 2), "inverse"), 1, 2, "the same everywhere"),
    ],
)
def test_bad_input_gets_a_sentence(depth, near, far, sentence):
    with pytest.raises(ValueError, match=sentence):
        z_depth(depth, near, far)
