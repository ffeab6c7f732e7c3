"""The guided filter: soft edges of the depth become the sharp ones of the image."""

import math

import pytest
import torch
import torch.nn.functional as F

from dpt_core import Depth
from dpt_core.estimate.detail import DetailSettings, infer_with_detail
from dpt_core.estimate.guided_filter import refine_edges

HEIGHT, WIDTH, BLUR = 96, 128, 8  # the depth is blurred over 8 pixels
ROWS, COLUMNS = torch.meshgrid(
    torch.arange(float(HEIGHT)), torch.arange(float(WIDTH)), indexing="ij"
)
DISC = (COLUMNS - 64) ** 2 + (ROWS - 48) ** 2 < 30**2
TRUTH = torch.where(DISC, 3.0, 1.0 + 0.003 * COLUMNS)
NOISE = 0.02 * torch.randn(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))


def soft(values: torch.Tensor) -> torch.Tensor:
    """As a network estimates it at an eighth of the image's resolution."""
    small = F.interpolate(values[None, None], scale_factor=1 / BLUR, mode="area")
    return F.interpolate(small, size=(HEIGHT, WIDTH), mode="bilinear")[0, 0]


def photograph() -> torch.Tensor:
    return (torch.where(DISC, 0.6, 0.2) + NOISE).clamp(0, 1)


def error(values: torch.Tensor) -> float:
    return float((values - TRUTH).square().mean().sqrt())


def steepest(values: torch.Tensor) -> float:
    return float(values.diff(dim=1).abs().max())


def test_a_soft_step_becomes_the_images_sharp_one():
    blurred = soft(TRUTH)
    found = refine_edges(blurred, photograph(), BLUR)
    assert error(found) < 0.6 * error(blurred)
    assert steepest(found) > 4 * steepest(blurred)
    assert found.min() >= blurred.min()
    assert found.max() <= blurred.max()
    wrong_place = refine_edges(blurred, photograph().roll(40, 2), BLUR)
    assert error(wrong_place) < 1.2 * error(blurred)


def test_a_plane_is_left_alone_under_any_texture():
    plane = 1 + 0.01 * COLUMNS + 0.02 * ROWS
    texture = torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(refine_edges(plane, texture, BLUR), plane, rtol=1e-6, atol=0)
    torch.testing.assert_close(refine_edges(plane, photograph(), 3.5), plane, rtol=1e-6, atol=0)


def test_an_edge_that_the_image_does_not_show_stays_as_it_is():
    blurred = soft(TRUTH)
    torch.testing.assert_close(
        refine_edges(blurred, torch.full((3, HEIGHT, WIDTH), 0.5), 8), blurred
    )
    stripes = (0.5 + 0.3 * torch.sin(COLUMNS / 3)).expand(3, HEIGHT, WIDTH)
    assert error(refine_edges(blurred, stripes, BLUR)) < 1.02 * error(blurred)


def test_the_unit_does_not_matter():
    blurred = soft(TRUTH)
    found = refine_edges(blurred, photograph(), BLUR)
    for unit in (1e-5, 1e4):
        scaled = refine_edges(blurred * unit + 7 * unit, photograph(), BLUR)
        torch.testing.assert_close(scaled / unit - 7, found, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (40, 1), (5, 3)])
def test_any_size(size):
    values = torch.rand(size)
    found = refine_edges(values, torch.rand(3, *size), 4)
    assert found.shape == size
    assert torch.isfinite(found).all()


def test_detail_settings_use_it_for_every_kind_and_off_by_default():
    image = photograph().unsqueeze(0)
    for kind in ("inverse", "metres"):
        blurred = soft(TRUTH)
        raw = Depth((blurred if kind == "inverse" else 1 / blurred).unsqueeze(0), kind)

        def found(width: int, raw: Depth = raw) -> torch.Tensor:
            values = infer_with_detail(
                lambda _: raw, image, DetailSettings(edge_width=width)
            ).values[0]
            return values if raw.kind == "inverse" else 1 / values

        torch.testing.assert_close(found(0), blurred)
        torch.testing.assert_close(found(BLUR), refine_edges(blurred, image[0], BLUR))


def test_a_panorama_stays_closed():
    angle = torch.linspace(0, 2 * math.pi, WIDTH + 1)[:-1]
    image = (0.5 + 0.3 * torch.sin(angle) + 0.1 * torch.sin(17 * angle)).expand(1, 3, HEIGHT, WIDTH)

    def infer(part: torch.Tensor) -> Depth:
        return Depth(F.avg_pool2d(part, 9, 1, 4, count_include_pad=False)[:, 0], "inverse")

    values = infer_with_detail(
        infer, image, DetailSettings(circular="horizontal", edge_width=6)
    ).values[0]
    inside = values.diff(dim=1).abs().amax()
    assert (values[:, 0] - values[:, -1]).abs().max() < 1.2 * inside


def test_impossible_widths_are_refused():
    with pytest.raises(ValueError, match=r"0\.5 pixels; it must be at least 1"):
        refine_edges(TRUTH, photograph(), 0.5)
    with pytest.raises(ValueError, match="edge_width is -1"):
        DetailSettings(edge_width=-1).check()
