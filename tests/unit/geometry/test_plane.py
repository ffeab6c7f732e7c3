"""Depth without its plane."""

import pytest
import torch

from dpt_core import Depth
from dpt_core.geometry.plane import remove_plane


def floor_and_box() -> tuple[torch.Tensor, torch.Tensor]:
    """Inverse depth of a floor with a box on it, and where the box is."""
    row, column = torch.meshgrid(torch.linspace(0, 1, 40), torch.linspace(0, 1, 60), indexing="ij")
    values = 2 + 5 * row + 0.7 * column
    box = torch.zeros(40, 60, dtype=torch.bool)
    box[10:25, 20:45] = True
    return torch.where(box, values + 1.5, values), box


@pytest.mark.parametrize("kind", ["inverse", "metres"])
def test_the_floor_goes_and_the_box_stays(kind):
    values, box = floor_and_box()
    values += 0.01 * torch.randn(values.shape, generator=torch.Generator().manual_seed(0))
    depth = Depth((values if kind == "inverse" else 1 / values).unsqueeze(0), kind)
    flat, plane = remove_plane(depth)
    assert flat.kind == "inverse"
    assert flat.values[0, box].mean() == pytest.approx(1.5, abs=0.01)
    assert flat.values[0, ~box].abs().max() < 0.06
    assert not plane[0, box].any()
    assert plane[0, ~box].float().mean() > 0.98


def test_the_plane_under_the_mask():
    values, box = floor_and_box()
    flat, plane = remove_plane(Depth(values.unsqueeze(0), "inverse"), box.float().unsqueeze(0))
    assert flat.values[0, ~box].mean() == pytest.approx(-1.5, abs=1e-3)
    assert torch.equal(plane[0], box)


def test_too_few_pixels_are_refused():
    depth = Depth(torch.arange(12.0).reshape(1, 3, 4) + 1, "inverse")
    with pytest.raises(ValueError, match="three pixels with valid depth; 0"):
        remove_plane(depth, torch.zeros(1, 3, 4))
