"""From raw depth to a picture: what is near, and the ends of the scale."""

import pytest
import torch

from dpt_core import Depth
from dpt_core.depth_map import disparity
from dpt_core.render import COLORMAPS, colorize, control_image, normalise


def test_near_is_white_for_every_kind() -> None:
    # The same scene by three kinds of models: 1, 2, 4 metres away.
    metres = torch.tensor([[[1.0, 2.0, 4.0]]])
    expected = torch.tensor([[[1.0, 1 / 3, 0.0]]])
    for depth in (
        Depth(metres, "metres"),
        Depth(metres * 7, "depth"),
        Depth(5 / metres + 3, "inverse"),
    ):
        torch.testing.assert_close(control_image(depth), expected)


def test_each_image_has_its_own_range_and_a_flat_one_is_black() -> None:
    values = torch.stack(
        [torch.tensor([[0.0, 5.0]]), torch.tensor([[-2.0, 2.0]]), torch.ones(1, 2)]
    )
    before = values.clone()
    assert normalise(values).tolist() == [[[0, 1]], [[0, 1]], [[0, 0]]]
    assert torch.equal(values, before)


def test_zero_metres_is_very_near_and_not_infinite() -> None:
    near = disparity(Depth(torch.tensor([[[0.0, -1.0, 0.5]]]), "metres"))
    assert torch.isfinite(near).all()
    assert near[0, 0, 0] == near[0, 0, 1] > near[0, 0, 2]


# 8-bit colours at 0 and 1, from the definitions of these colour maps.
ENDS = {
    "grey": ((0, 0, 0), (255, 255, 255)),
    "turbo": ((48, 18, 59), (122, 4, 3)),
    "inferno": ((0, 0, 4), (252, 255, 164)),
    "viridis": ((68, 1, 84), (253, 231, 37)),
}


@pytest.mark.parametrize("colormap", ENDS)
def test_ends_of_the_colour_maps(colormap: str) -> None:
    coloured = colorize(torch.tensor([[[0.0, 1.0]]]), colormap)
    assert coloured.shape == (1, 1, 2, 3)
    for place, expected in enumerate(ENDS[colormap]):
        assert (coloured[0, 0, place] * 255).tolist() == pytest.approx(expected, abs=1)


def test_spectral_runs_between_red_and_blue() -> None:
    ends = colorize(torch.tensor([[[0.0, 1.0]]]), "spectral")[0, 0]
    hot, cold = sorted(ends, key=lambda colour: float(colour[2]))
    assert hot[0] > hot[2]
    assert cold[2] > cold[0]


@pytest.mark.parametrize("colormap", COLORMAPS)
def test_colours_are_between_their_neighbours(colormap: str) -> None:
    ramp = torch.linspace(0, 1, 1021).view(1, 1, -1)  # four steps to a row of the table
    colours = colorize(ramp, colormap)
    assert colours.min() >= 0
    assert colours.max() <= 1
    assert colours.diff(dim=2).abs().max() < 0.02  # no steps


def test_there_is_no_other_colour_map() -> None:
    with pytest.raises(ValueError, match=r"'jet'.*turbo"):
        colorize(torch.zeros(1, 1, 1), "jet")
