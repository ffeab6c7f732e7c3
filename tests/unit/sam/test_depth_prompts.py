"""Masks of a range of depth, and prompts chosen by depth."""

import pytest
import torch
from torch import Tensor

from dpt_core import Depth, depth_mask, layer_prompts


def scene(height: int = 90, width: int = 120) -> Tensor:
    """Inverse depth: a near bar, a disc behind it to the right, and a far wall."""
    values = torch.ones(1, height, width)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    values[0, (rows - 30) ** 2 + (columns - 85) ** 2 < 18**2] = 4.0
    values[0, 20:70, 10:40] = 9.0
    return values


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
    mask = depth_mask(Depth(scene(), "inverse"), 0, 12)
    assert torch.equal(mask, (scene() == 9).float())  # 14 % of the pixels, 7 % in the middle
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
        depth_mask(Depth(scene(), "inverse"), *arguments)


@pytest.mark.parametrize("size", [(90, 120), (900, 1200)])
def test_every_object_gets_a_box_and_a_point_nearest_first(size: tuple[int, int]) -> None:
    values = torch.nn.functional.interpolate(scene().unsqueeze(1), size, mode="nearest")[:, 0]
    scale = size[0] / 90
    (prompts,) = layer_prompts(Depth(values, "inverse"), 3)
    assert prompts.layers.tolist() == [0, 1, 2]
    assert prompts.points.shape == (3, 1, 2)
    assert prompts.labels.tolist() == [[1], [1], [1]]
    boxes = torch.tensor([[10, 20, 40, 70], [68, 13, 103, 48], [0, 0, 120, 90]]) * scale
    assert (prompts.boxes - boxes).abs().max() <= 4 * scale**0.5
    for (x, y), expected in zip(prompts.points[:, 0].tolist(), (9, 4, 1), strict=True):
        assert values[0, round(y), round(x)] == expected
    x, y = prompts.points[0, 0].tolist()  # well within the bar, not at its edge
    assert 20 * scale < x < 30 * scale
    assert 30 * scale < y < 60 * scale


def test_parts_of_one_layer_are_prompts_of_their_own_largest_first() -> None:
    values = torch.ones(1, 60, 100)
    values[0, 10:20, 10:20] = 5
    values[0, 10:40, 50:90] = 5
    values[0, 50, 50] = 5  # too small
    (prompts,) = layer_prompts(Depth(values, "inverse"), 2)
    assert prompts.layers.tolist() == [0, 0, 1]
    assert prompts.boxes[:2].tolist() == [[50, 10, 90, 40], [10, 10, 20, 20]]


def test_metres_and_pixels_without_depth() -> None:
    values = 1 / scene()
    valid = torch.ones_like(values, dtype=torch.bool)
    valid[:, :, :50] = False
    values[:, :, 115:] = float("inf")
    (prompts,) = layer_prompts(Depth(values, "metres", valid=valid), 2)
    assert prompts.layers.tolist() == [0, 1]
    assert prompts.boxes[0].tolist() == [68, 13, 103, 48]
    assert prompts.boxes[1, 0] >= 50


@pytest.mark.parametrize("layers", [3, 4, 16])
def test_more_layers_than_depths_fill_the_nearest_ones(layers: int) -> None:
    (prompts,) = layer_prompts(Depth(scene(), "inverse"), layers)
    assert prompts.layers.tolist() == [0, 1, 2]
    for (x, y), expected in zip(prompts.points[:, 0].tolist(), (9, 4, 1), strict=True):
        assert scene()[0, round(y), round(x)] == expected


def test_an_even_depth_has_no_objects() -> None:
    for values in (torch.ones(2, 8, 8), torch.full((2, 8, 8), float("nan"))):
        for prompts in layer_prompts(Depth(values, "inverse"), 4):
            assert prompts.points.shape == (0, 1, 2)
            assert prompts.boxes.shape == (0, 4)


def test_numbers_of_layers_that_cannot_be_used_are_refused() -> None:
    for layers in (1, 17):
        with pytest.raises(ValueError, match=f"layers is {layers}"):
            layer_prompts(Depth(scene(), "inverse"), layers)
