"""Colour maps, by their definitions."""

import pytest
import torch

from dpt_core.render import COLORMAPS, colorize

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
    for index, expected in enumerate(ENDS[colormap]):
        assert (coloured[0, 0, index] * 255).tolist() == pytest.approx(expected, abs=1)


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


def test_unknown_colour_maps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'jet'.*turbo"):
        colorize(torch.zeros(1, 1, 1), "jet")
