"""Contact sheets: where tiles, points and labels are."""

from typing import Any, cast

import numpy as np
import pytest
import torch

from dpt_core.stages.contact_sheet import (
    GAP,
    LABEL_HEIGHT,
    TITLE_HEIGHT,
    Tile,
    draw_norms,
    draw_sheet,
    tile_size,
)


class TestContactSheet:
    def test_tiles_lie_in_a_grid_below_the_title(self):
        colours = torch.eye(3)
        tiles = [Tile(f"tile {i}", "", c.expand(2, 2, 3)) for i, c in enumerate(colours)]
        sheet = draw_sheet("title", tiles, aspect=1.5, width=150)
        width, height = tile_size(150, 1.5)
        assert (width, height) == (150, 100)
        columns = (sheet.shape[1] - GAP) // (width + GAP)
        for i, colour in enumerate(colours):
            top = TITLE_HEIGHT + i // columns * (LABEL_HEIGHT + height + GAP) + LABEL_HEIGHT
            left = GAP + i % columns * (width + GAP)
            assert torch.equal(sheet[top + 50, left + 75], colour)

    def test_nearest_keeps_cells_and_bilinear_blends_them(self):
        rgb = torch.tensor([[[0.0] * 3, [1.0] * 3]])
        for resampling, colours in (("nearest", 2), ("bilinear", 50)):
            sheet = draw_sheet("", [Tile("", "", rgb)], 2.0, 200, cast(Any, resampling))
            line = sheet[TITLE_HEIGHT + LABEL_HEIGHT + 50, GAP + 10 : GAP + 190, 0]
            assert len(line.unique()) >= colours
            assert resampling == "bilinear" or len(line.unique()) == 2

    def test_the_point_is_marked(self):
        plain = Tile("", "", torch.zeros(4, 4, 3))
        sheet = draw_sheet("", [plain], 1.0, 200)
        marked = draw_sheet("", [plain._replace(point=(0.25, 0.75))], 1.0, 200)
        rows, columns = (sheet != marked).any(dim=-1).nonzero().unbind(dim=1)
        left, top = GAP, TITLE_HEIGHT + LABEL_HEIGHT
        assert float(columns.float().mean()) == pytest.approx(left + 0.25 * 199, abs=1)
        assert float(rows.float().mean()) == pytest.approx(top + 0.75 * 199, abs=1)

    def test_long_labels_stay_in_their_column(self):
        tile = Tile("w" * 200, "n" * 200, torch.zeros(2, 2, 3))
        sheet = draw_sheet("t" * 500, [tile, tile], 1.0, 120)
        assert torch.equal(sheet[:, -GAP + 2 :], sheet[:1, :1].expand(len(sheet), GAP - 2, 3))

    @pytest.mark.parametrize("aspect", [0.01, 0.5, 1.0, 100.0])
    def test_no_photograph_makes_a_tile_too_thin(self, aspect: float):
        assert min(tile_size(300, aspect)) >= 60

    def test_norms_are_a_rising_line(self):
        plot = draw_norms(torch.linspace(1, 10, 12), [3, 6, 9, 12], (300, 200))
        is_line = (plot[..., 0] > 0.9) & (plot[..., 2] < 0.4)
        rows, columns = is_line.nonzero().unbind(dim=1)
        assert plot.shape == (200, 300, 3)
        assert np.corrcoef(rows.numpy(), columns.numpy())[0, 1] < -0.95
