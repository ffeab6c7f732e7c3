"""Principal components as colours, against NumPy (and scikit-learn if it is installed)."""

import numpy as np
import pytest
import torch
from torch import Tensor

from dpt_core.stages import FeatureMap, MapStyle, visualize
from dpt_core.stages.components import EXACT, align_scores, fit_components
from tests.unit.stages.builders import noise


def cells_of(values: Tensor) -> np.ndarray:
    return values.movedim(1, -1).flatten(0, 2).double().numpy()


class TestComponents:
    def test_axes_are_the_singular_vectors(self, tokens: Tensor):
        cells = cells_of(tokens)
        fitted = fit_components(torch.from_numpy(cells))
        _, _, rows = np.linalg.svd(cells - cells.mean(axis=0), full_matrices=False)
        for axis, expected in zip(fitted.axes.numpy(), rows, strict=False):
            assert axis[np.abs(axis).argmax()] > 0
            np.testing.assert_allclose(axis, expected * np.sign(axis @ expected), atol=1e-9)

    def test_as_scikit_learn_has_them(self, tokens: Tensor):
        decomposition = pytest.importorskip("sklearn.decomposition")
        cells = cells_of(tokens)
        theirs = decomposition.PCA(3, svd_solver="full").fit(cells)
        ours = fit_components(torch.from_numpy(cells))
        np.testing.assert_allclose(ours.axes.numpy(), theirs.components_, atol=1e-9)
        np.testing.assert_allclose(ours.mean.numpy(), theirs.mean_, atol=1e-9)

    def test_axes_of_wide_vectors_are_found_in_a_subspace(self):
        spectrum = torch.tensor([9.0, 6.0, 4.0, *(1 / torch.arange(1.0, 298.0))])
        cells = noise(400, 300) * spectrum @ torch.linalg.qr(noise(300, 300, seed=1)).Q + 2
        assert cells.shape[1] > EXACT
        _, _, rows = np.linalg.svd((cells - cells.mean(dim=0)).double().numpy())
        for axis, expected in zip(fit_components(cells).axes.numpy(), rows, strict=False):
            np.testing.assert_allclose(axis, expected * np.sign(axis @ expected), atol=1e-4)

    def test_colours_are_scores_between_percentiles(self, tokens: Tensor):
        (picture,) = visualize([FeatureMap("a", tokens)], MapStyle("pca"))
        cells = cells_of(tokens)
        fitted = fit_components(torch.from_numpy(cells))
        scores = (cells - cells.mean(axis=0)) @ fitted.axes.numpy().T
        low, high = np.percentile(scores, [1, 99], axis=0)
        expected = np.clip((scores - low) / (high - low), 0, 1).reshape(2, 6, 7, 3)
        np.testing.assert_allclose(picture.rgb.numpy(), expected, atol=1e-5)

    def test_one_fit_for_all_frames(self, tokens: Tensor):
        # The same frame has the same colours wherever it stands in the batch.
        batch = torch.cat([tokens, tokens.flip(0)])
        (picture,) = visualize([FeatureMap("a", batch)], MapStyle("pca"))
        assert torch.equal(picture.rgb[0], picture.rgb[3])
        assert torch.equal(picture.rgb[1], picture.rgb[2])
        assert not torch.equal(picture.rgb[0], picture.rgb[1])

    def test_signs_stay_when_the_picture_changes_a_little(self, tokens: Tensor):
        (before,) = visualize([FeatureMap("a", tokens)], MapStyle("pca"))
        (after,) = visualize(
            [FeatureMap("a", tokens + 0.01 * noise(*tokens.shape, seed=3))], MapStyle("pca")
        )
        assert (before.rgb - after.rgb).abs().max() < 0.1

    def test_shared_fit_means_one_fit_for_all_maps(self, tokens: Tensor):
        maps = [FeatureMap("a", tokens), FeatureMap("b", 2 * tokens)]
        apart = visualize(maps, MapStyle("pca"))
        both = visualize(maps, MapStyle("pca", shared_fit=True))
        torch.testing.assert_close(apart[0].rgb, apart[1].rgb)
        assert (both[0].rgb - both[1].rgb).abs().max() > 0.1

    def test_similar_maps_keep_their_colours_when_components_swap(self, tokens: Tensor):
        # A stronger second component comes first, and would be red instead of green.
        cells = torch.from_numpy(cells_of(tokens)).float()
        second = fit_components(cells).axes[1].float()
        projection = torch.einsum("c,bchw->bhw", second, tokens - cells.mean(dim=0)[:, None, None])
        changed = tokens + 2 * second[:, None, None] * projection[:, None]
        first, aligned = visualize(
            [FeatureMap("a", tokens), FeatureMap("b", changed)], MapStyle("pca")
        )
        (alone,) = visualize([FeatureMap("b", changed)], MapStyle("pca"))
        assert (aligned.rgb - first.rgb).abs().mean() < 0.02
        assert (alone.rgb - first.rgb).abs().mean() > 0.1

    def test_maps_of_other_widths_cannot_share_a_fit(self, tokens: Tensor):
        maps = [FeatureMap("a", tokens), FeatureMap("b", tokens[:, :8])]
        with pytest.raises(ValueError, match="have 20, 8 channels, so they cannot share"):
            visualize(maps, MapStyle("pca", shared_fit=True))

    def test_two_channels_and_a_flat_map(self):
        (two,) = visualize([FeatureMap("a", noise(1, 2, 4, 4))], MapStyle("pca"))
        assert (two.rgb[..., 2] == 0.5).all()
        (flat,) = visualize([FeatureMap("a", torch.ones(1, 5, 4, 4))], MapStyle("pca"))
        assert (flat.rgb == 0.5).all()

    def test_colours_of_like_maps_are_alike(self):
        # Components that swap or change sign are rotated back.
        scores = noise(2, 8, 8, 3)
        turned = scores @ torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
        torch.testing.assert_close(align_scores(turned, scores), scores)
