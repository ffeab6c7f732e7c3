"""Feature maps as pictures: numbers on a colour map, and clusters."""

from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from dpt_core.render import colorize
from dpt_core.stages import FeatureMap, MapStyle, visualize
from dpt_core.stages.clusters import PALETTE, fit_clusters
from dpt_core.stages.pictures import cosine_similarity
from tests.unit.stages.builders import noise


class TestScalars:
    def test_similarity_is_the_cosine(self, tokens: Tensor):
        found = cosine_similarity(tokens, (0.5, 0.99)).numpy()
        cells = tokens.movedim(1, -1).double().numpy()
        for image, line in zip(cells, found, strict=True):
            reference = image[5, 3]
            norms = np.linalg.norm(image, axis=-1) * np.linalg.norm(reference)
            np.testing.assert_allclose(line, image @ reference / norms, atol=1e-6)
            assert line[5, 3] == pytest.approx(1)

    def test_similarity_is_drawn_on_a_fixed_scale(self):
        values = torch.tensor([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0], [0.0, 1.0]]).T.view(1, 2, 1, 4)
        style = MapStyle("similarity", point=(0, 0), colormap="grey")
        (picture,) = visualize([FeatureMap("a", values)], style)
        torch.testing.assert_close(picture.rgb[0, 0, :, 0], torch.tensor([1.0, 0.5**0.5, 0.0, 0.0]))
        assert picture.scale == "0 … 1"

    @pytest.mark.parametrize(
        ("style", "expected"),
        [
            (MapStyle("norm"), lambda v: v.norm(dim=1)),
            (MapStyle("mean"), lambda v: v.mean(dim=1)),
            (MapStyle("channel", channel=7), lambda v: v[:, 7]),
        ],
    )
    def test_numbers_are_stretched_over_the_whole_batch(self, tokens, style, expected):
        (picture,) = visualize([FeatureMap("a", tokens)], style)
        values = expected(tokens)
        unit = (values - values.min()) / (values.max() - values.min())
        torch.testing.assert_close(picture.rgb, colorize(unit, "viridis"), atol=1e-5, rtol=0)
        assert picture.scale == f"{values.min():.2g} … {values.max():.2g}"

    @pytest.mark.parametrize(
        "visualization", ["pca", "norm", "mean", "channel", "similarity", "clusters"]
    )
    def test_one_channel_is_shown_as_it_is(self, visualization: Any):
        values = -noise(1, 1, 4, 5).abs()
        (picture,) = visualize(
            [FeatureMap("a", values)], MapStyle(visualization, channel=3, colormap="grey")
        )
        unit = (values - values.min()) / (values.max() - values.min())
        torch.testing.assert_close(picture.rgb[..., 0], unit[:, 0])

    def test_cells_without_a_value_are_dark_grey(self):
        values = noise(1, 1, 4, 4)
        values[..., 2:] = torch.nan
        (picture,) = visualize([FeatureMap("a", values)], MapStyle())
        assert (picture.rgb[:, :, 2:] == 0.16).all()
        assert picture.rgb[:, :, :2].isfinite().all()

    @pytest.mark.parametrize(
        ("style", "message"),
        [
            (MapStyle("channel", channel=20), "Channel 20 was requested, but a has 20 channels"),
            (MapStyle("clusters", clusters=1), "1 clusters were requested; choose 2 to 12"),
            (MapStyle(cast(Any, "loud")), "no visualization 'loud'; choose one of pca, norm"),
            (MapStyle("similarity", point=(2, 0)), "x = 2, y = 0; both go from 0"),
        ],
    )
    def test_errors_name_what_cannot_be_drawn(self, tokens: Tensor, style: MapStyle, message: str):
        with pytest.raises(ValueError, match=message):
            visualize([FeatureMap("a", tokens)], style)


class TestClusters:
    def test_separate_groups_are_found_largest_first(self):
        centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
        labels = torch.tensor([0] * 30 + [1] * 10 + [2] * 20)[torch.randperm(60)]
        cells = centres[labels] + 0.1 * noise(60, 2)
        found = fit_clusters(cells, 3)
        for i, expected in zip((0, 2, 1), found, strict=True):
            torch.testing.assert_close(cells[labels == i].mean(dim=0), expected)

    def test_the_same_input_gives_the_same_picture(self, tokens: Tensor):
        style = MapStyle("clusters", clusters=5)
        first, second = (visualize([FeatureMap("a", tokens)], style)[0].rgb for _ in range(2))
        assert torch.equal(first, second)
        colours = {tuple(c) for c in (first * 255).round().int().flatten(0, 2).tolist()}
        assert colours == set(PALETTE[:5])

    def test_fewer_different_cells_than_clusters(self):
        assert len(fit_clusters(torch.ones(8, 3), 4)) == 1
