"""Disparity, distance and valid pixels of every kind of depth."""

import pytest
import torch

from dpt_core import Depth
from dpt_core.depth_map import disparity, valid_pixels, z_depth


def test_relative_depth_becomes_distance_between_near_and_far():
    z = torch.linspace(1, 20, 1200).view(30, 40)
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


def test_zero_metres_is_very_near_and_not_infinite() -> None:
    near = disparity(Depth(torch.tensor([[[0.0, -1.0, 0.5]]]), "metres"))
    assert torch.isfinite(near).all()
    assert near[0, 0, 0] == near[0, 0, 1] > near[0, 0, 2]
