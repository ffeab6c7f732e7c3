"""Network sizes and resampling, beyond what the parity tests compare."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
import torch.nn.functional as F

from dpt_core import ImageRule
from dpt_core.depth.preprocessing import network_size, to_image, to_network

HALF = (0.5, 0.5, 0.5)
COVER = ImageRule(HALF, HALF, 518, 14, "cover", "bilinear", True)
LONGEST = replace(COVER, side=504, fit="longest", shrink="area")
SQUARE = replace(COVER, side=256, multiple=256, fit="square")


def images(*size: int, batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((504, 504), None, (504, 504)),
        ((1000, 500), None, (504, 252)),
        ((3, 3000), None, (14, 504)),  # never less than one patch
        ((100, 100), 1, (14, 14)),
        ((100, 200), 100, (56, 98)),
    ],
)
def test_the_longest_side_fits(
    size: tuple[int, int], side: int | None, expected: tuple[int, int]
) -> None:
    assert network_size(size, LONGEST, side) == expected


@pytest.mark.parametrize(
    ("side", "expected"), [(None, 256), (1, 256), (256, 256), (400, 512), (700, 1024), (1000, 1024)]
)
def test_squares_are_the_trained_side_or_an_even_multiple(side: int | None, expected: int) -> None:
    # Windows of a fixed number of tokens must tile the map, shifted ones too.
    assert network_size((30, 5000), SQUARE, side) == (expected, expected)


def test_any_rule_can_stretch_to_a_square_of_its_side() -> None:
    for rule, side in ((COVER, 518), (LONGEST, 504), (SQUARE, 256)):
        assert network_size((300, 900), rule.with_fit("stretch")) == (side, side)
    assert network_size((300, 900), COVER.with_fit("stretch"), 100) == (98, 98)
    assert SQUARE.with_fit("stretch") is SQUARE  # its windows have the last word on the side
    network_input = to_network(images(20, 60), COVER.with_fit("stretch"), (28, 28))
    assert network_input.shape == (1, 3, 28, 28)


@pytest.mark.parametrize("fit", ["cover", "closest", "longest", "square", "stretch"])
@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (17, 999), (37, 41)])
@pytest.mark.parametrize("side", [1, 13, 14, 100, None])
def test_every_size_is_whole_patches(
    fit: Literal["cover", "closest", "longest", "square", "stretch"],
    size: tuple[int, int],
    side: int | None,
) -> None:
    height, width = network_size(size, replace(COVER, fit=fit), side)
    assert height > 0
    assert width > 0
    assert height % 14 == width % 14 == 0


def test_an_image_of_the_right_size_is_only_normalised() -> None:
    rule = ImageRule((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 28, 14, "cover", "bilinear", True)
    source = images(28, 42)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (rule.mean, rule.std))
    torch.testing.assert_close(to_network(source, rule, (28, 42)), (source - mean) / std)


def test_area_resampling_averages_what_falls_into_a_pixel() -> None:
    source = images(42, 84)
    shrunk = to_network(source, LONGEST, (14, 28)) * 0.5 + 0.5
    torch.testing.assert_close(shrunk, F.avg_pool2d(source, 3))
    # By a broken factor each pixel counts by its share: the mean stays what it was.
    shrunk = to_network(source, LONGEST, (28, 56)) * 0.5 + 0.5
    torch.testing.assert_close(shrunk.mean(), source.mean())
    assert shrunk.min() >= source.min()
    larger = to_network(source, LONGEST, (56, 98)) * 0.5 + 0.5
    assert larger.max() > 1  # bicubic, which overshoots and is not clamped


def test_depth_of_the_right_size_is_unchanged_and_resizing_gives_float32() -> None:
    depth = torch.rand(2, 28, 42)
    assert torch.equal(to_image(depth, COVER, (28, 42)), depth)
    resized = to_image(depth.bfloat16(), COVER, (5, 7))
    assert resized.shape == (2, 5, 7)
    assert resized.dtype == torch.float32
    corners = to_image(depth, COVER, (5, 7))[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    torch.testing.assert_close(corners, depth[:, [0, 0, -1, -1], [0, -1, 0, -1]])
