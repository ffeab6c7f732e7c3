"""Depth aligned to measured points, to a surface at a known distance and to another depth map."""

import pytest
import torch

from dpt_core import Depth
from dpt_core.geometry.align import (
    MeasuredPoint,
    align_to_mask,
    align_to_points,
    align_to_reference,
)

HEIGHT, WIDTH = 40, 60


@pytest.fixture
def metres() -> torch.Tensor:
    """True distances of two frames, 1 to 9 metres."""
    return 1 + 8 * torch.rand(2, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def relative(metres) -> Depth:
    """What a relative model gives for it."""
    return Depth(40 / metres - 3, "inverse", checkpoint="some.pth")


def points(metres: torch.Tensor, *pixels: tuple[int, int]) -> list[MeasuredPoint]:
    return [MeasuredPoint(x, y, float(metres[0, y, x])) for x, y in pixels]


def test_two_points_give_metres(relative, metres):
    measured = points(metres, (3, 5), (40, 20))
    aligned = align_to_points(relative, measured)
    assert aligned.kind == "metres"
    assert aligned.checkpoint == "some.pth"
    torch.testing.assert_close(aligned.values, metres, rtol=1e-3, atol=0)


def test_one_point_scales(metres):
    aligned = align_to_points(Depth(7 / metres, "inverse"), points(metres, (9, 9)))
    torch.testing.assert_close(aligned.values, metres)


def test_one_wrong_point_of_six_does_no_harm(relative, metres):
    measured = points(metres, (3, 5), (40, 20), (10, 30), (55, 2), (33, 33), (20, 10))
    measured[2] = measured[2]._replace(metres=0.4)
    torch.testing.assert_close(
        align_to_points(relative, measured).values, metres, rtol=1e-3, atol=0
    )


def test_metric_depth_is_corrected_too(metres):
    wrong = Depth(1.3 * metres, "metres")
    aligned = align_to_points(wrong, points(metres, (3, 5), (40, 20)))
    torch.testing.assert_close(aligned.values, metres, rtol=1e-4, atol=0)


def test_a_wall_at_a_known_distance(metres):
    metres[:, 10:20, 10:30] = 4.0
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 10:20, 10:30] = 1
    aligned = align_to_mask(Depth(7 / metres, "inverse"), mask, 4.0)
    torch.testing.assert_close(aligned.values, metres)


@pytest.mark.parametrize("kind", ["metres", "inverse", "depth"])
def test_another_depth_map(relative, metres, kind):
    values = 1 / metres if kind == "inverse" else metres
    values = values.clone()
    values[:, :15] = values[:, :15].flip(1)  # more than a third of it is something else
    aligned = align_to_reference(relative, Depth(values, kind))
    expected = 1 / metres if kind == "inverse" else metres
    assert aligned.kind == kind
    torch.testing.assert_close(aligned.values, expected, rtol=2e-3, atol=1e-4)


def test_only_under_the_mask(relative, metres):
    values = metres.clone()
    values[:, :, 20:] = 5 * torch.rand(2, HEIGHT, WIDTH - 20) + 0.5
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, :, :20] = 1
    aligned = align_to_reference(relative, Depth(values, "metres"), mask, robust=False)
    torch.testing.assert_close(aligned.values, metres, rtol=1e-3, atol=0)


def test_points_beyond_infinity_are_far_away(relative):
    aligned = align_to_points(relative, [MeasuredPoint(0, 0, 1.0), MeasuredPoint(1, 0, 1.01)])
    assert torch.isfinite(aligned.values).all()
    assert (aligned.values > 0).all()


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1e9])
def test_an_invalid_pixel_does_no_harm_to_the_others(relative, metres, wrong):
    values, valid = relative.values.clone(), torch.ones(2, HEIGHT, WIDTH, dtype=torch.bool)
    values[:, 3, 4], valid[:, 3, 4] = wrong, False
    aligned = align_to_points(
        relative._replace(values=values, valid=valid),
        [MeasuredPoint(x, 30, float(metres[0, 30, x])) for x in (2, 30)],
    )
    torch.testing.assert_close(aligned.values[valid], metres[valid])


NEAR, FAR = MeasuredPoint(0, 0, 1.0), MeasuredPoint(1, 0, 5.0)
RAMP = Depth(torch.arange(12.0).reshape(1, 3, 4) + 1, "inverse")  # (1, 0) is nearer than (0, 0)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: align_to_points(RAMP, []), "no points"),
        (lambda: align_to_points(RAMP, [NEAR, FAR]), "contradict the depth"),
        (
            lambda: align_to_points(RAMP, [MeasuredPoint(4, 0, 1)]),
            "outside the image, which is 4×3",
        ),
        (lambda: align_to_points(RAMP, [MeasuredPoint(0, 0, 0)]), "0 metres away"),
        (lambda: align_to_points(RAMP, [NEAR, NEAR]), "two values that differ"),
        (lambda: align_to_mask(RAMP, torch.ones(1, 4, 4), 2), "The mask is 1×4×4"),
        (lambda: align_to_mask(RAMP, torch.ones(2, 3, 4), 2), "The mask is 2×3×4"),
        (lambda: align_to_mask(RAMP, torch.zeros(1, 3, 4), 2), "no valid depth under the mask"),
        (lambda: align_to_mask(RAMP, torch.ones(1, 3, 4), 0), "0 metres"),
        (
            lambda: align_to_reference(RAMP, Depth(torch.ones(1, 5, 4), "metres")),
            "The reference is 1×5×4",
        ),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
