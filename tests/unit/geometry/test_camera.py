"""Fields of view, focal lengths and the rays of pixels."""

import math

import pytest
import torch

from dpt_core.geometry.camera import fov_of_focal, intrinsics_of_fov, rays


def test_focal_lengths_and_square_pixels():
    assert fov_of_focal(18) == pytest.approx(90)
    wide = intrinsics_of_fov(90, 200, 100)
    assert wide[0, 0] == pytest.approx(0.5)
    assert wide[1, 1] == pytest.approx(1.0)  # square pixels


def test_the_edge_of_the_image_is_half_the_field_of_view_away():
    directions = rays(intrinsics_of_fov(90, 400, 300), 300, 400)
    assert math.degrees(math.atan(directions[0, -1, 0])) == pytest.approx(45, abs=0.2)
    torch.testing.assert_close(directions[:, 0], directions[:, -1] * torch.tensor([-1.0, 1.0, 1.0]))
    assert directions[0, 0, 1] < 0 < directions[-1, 0, 1]  # y is down


@pytest.mark.parametrize("degrees", [0, 180, -20, 400, math.nan])
def test_an_impossible_field_of_view_is_refused(degrees):
    with pytest.raises(ValueError, match="more than 0 and less than 180"):
        intrinsics_of_fov(degrees, 10, 10)
