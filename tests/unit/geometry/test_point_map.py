"""Points and normals from depth, on surfaces whose shape is known."""

import pytest
import torch
import torch.nn.functional as F

from dpt_core.geometry.camera import intrinsics_of_fov, rays
from dpt_core.geometry.point_map import colorize_normals, normals, unproject

HEIGHT, WIDTH = 30, 40
CAMERA = intrinsics_of_fov(60, WIDTH, HEIGHT)


def plane(normal: tuple[float, float, float], offset: float) -> torch.Tensor:
    """z of the plane n·p = offset along every pixel's ray. H×W."""
    return offset / (rays(CAMERA, HEIGHT, WIDTH) @ torch.tensor(normal))


def everywhere(distance: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(distance, dtype=torch.bool)


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
    found = normals(unproject(z, valid, CAMERA).points)
    inner = valid.clone()
    inner[1:] &= valid[:-1]
    inner[:-1] &= valid[1:]
    assert inner.sum() > 200
    assert ((found[inner] @ expected) > 1 - 1e-5).all()
    assert (found[~valid] == 0).all()


def test_the_edge_of_an_object_is_no_bevel():
    z = torch.full((HEIGHT, WIDTH), 8.0)
    z[8:20, 10:25] = 2.0
    found = normals(unproject(z, everywhere(z), CAMERA).points)
    torch.testing.assert_close(found, torch.tensor([0.0, 0.0, -1.0]).expand_as(found))


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


def test_what_is_not_valid_is_infinitely_far():
    z = torch.full((2, 2), 3.0)
    valid = torch.tensor([[True, False], [True, True]])
    point_map = unproject(z, valid, CAMERA)
    assert torch.isinf(point_map.points[0, 1]).all()
    assert torch.isfinite(point_map.points[valid]).all()
