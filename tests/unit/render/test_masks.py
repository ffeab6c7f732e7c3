"""Masks of a range of depth."""

import pytest
import torch

from dpt_core import Depth, depth_mask

BAR = torch.ones(1, 90, 120)  # inverse depth: a near bar before a wall, 14 % of the pixels
BAR[0, 20:70, 10:40] = 9


def test_percentiles_are_of_each_images_pixels_from_the_nearest() -> None:
    near_to_far = torch.linspace(9, 1, 101).view(1, 1, 101)
    depth = Depth(torch.cat([near_to_far, near_to_far.flip(2) * 100]), "inverse")
    mask = depth_mask(depth, 20, 40)
    expected = torch.zeros(101)
    expected[20:41] = 1
    assert torch.equal(mask[0, 0], expected)
    assert torch.equal(mask[1, 0], expected.flip(0))
    metres = Depth(1 / depth.values, "metres")
    assert torch.equal(depth_mask(metres, 20, 40), mask)  # nearer is smaller there


def test_soft_edges_fall_in_a_straight_line() -> None:
    depth = Depth(torch.linspace(0, 10, 11).view(1, 1, 11), "metres")
    mask = depth_mask(depth, 4, 6, soft=4, unit="metres")
    assert mask[0, 0].tolist() == [0, 0.25, 0.5, 0.75, 1, 1, 1, 0.75, 0.5, 0.25, 0]
    hard = depth_mask(depth, 4, 6, unit="metres")
    assert hard[0, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0]


def test_equal_depths_are_in_or_out_together() -> None:
    mask = depth_mask(Depth(BAR, "inverse"), 0, 12)
    assert torch.equal(mask, (BAR == 9).float())  # its percentile is 7, in the middle
    assert depth_mask(Depth(torch.ones(1, 4, 4), "inverse"), 0, 100).min() == 1


def test_pixels_without_depth_are_out() -> None:
    values = torch.tensor([[[1.0, 2.0, float("nan"), float("inf")]]])
    assert depth_mask(Depth(values, "metres"), 0, 100).tolist() == [[[1, 1, 0, 0]]]
    valid = torch.tensor([[[True, False, True, True]]])
    depth = Depth(torch.ones(1, 1, 4), "metres", valid=valid)
    assert depth_mask(depth, 0, 5, unit="metres").tolist() == [[[1, 0, 1, 1]]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((5, 1), "near is 5, far 1"),
        ((0, 1, -1), "soft -1"),
        ((0, 101), "percentiles are from 0 to 100"),
        ((0, 1, 0, "metres"), "inverse and has no metres"),
        ((0, 1, 0, "feet"), "'feet'"),
    ],
)
def test_ranges_that_cannot_be_used_are_refused(arguments: tuple, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        depth_mask(Depth(BAR, "inverse"), *arguments)
