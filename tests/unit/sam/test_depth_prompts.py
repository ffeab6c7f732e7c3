"""Prompts for the objects of each layer of depth."""

import pytest
import torch
from torch import Tensor

from dpt_core import Depth, layer_prompts


def scene(height: int = 90, width: int = 120) -> Tensor:
    """Inverse depth: a near bar, a disc behind it to the right, and a far wall."""
    values = torch.ones(1, height, width)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    values[0, (rows - 30) ** 2 + (columns - 85) ** 2 < 18**2] = 4.0
    values[0, 20:70, 10:40] = 9.0
    return values


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


def test_components_of_one_layer_are_separate_prompts_largest_first() -> None:
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
