"""Pictures of feature maps, against numpy (and scikit-learn if it is installed)."""

import io
import json
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import dpt_core
from dpt_core.depth_map import Depth
from dpt_core.render import colorize
from dpt_core.stages import FeatureMap, FeatureSpec, MapStyle, extract_features, visualize
from dpt_core.stages.clusters import PALETTE, fit_clusters
from dpt_core.stages.components import EXACT, align_scores, fit_components
from dpt_core.stages.contact_sheet import (
    GAP,
    LABEL_HEIGHT,
    TITLE_HEIGHT,
    Tile,
    draw_norms,
    draw_sheet,
    tile_size,
)
from dpt_core.stages.explorer import CHANNELS, TokenMap, capture_tokens, pack, project_tokens
from dpt_core.stages.pictures import cosine_similarity


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def tokens() -> Tensor:
    """B×C×rows×columns with a few strong directions, as trained tokens have."""
    mixed = noise(2, 20, 6, 7) * torch.linspace(3, 0.2, 20).view(-1, 1, 1)
    return torch.einsum("dc,bchw->bdhw", torch.linalg.qr(noise(20, 20, seed=1)).Q, mixed) + 5


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

    def test_maps_of_other_widths_cannot_be_share_a_fit(self, tokens: Tensor):
        maps = [FeatureMap("a", tokens), FeatureMap("b", tokens[:, :8])]
        with pytest.raises(ValueError, match="have 20, 8 channels, so they cannot share"):
            visualize(maps, MapStyle("pca", shared_fit=True))

    def test_two_channels_and_a_flat_map(self):
        (two,) = visualize([FeatureMap("a", noise(1, 2, 4, 4))], MapStyle("pca"))
        assert (two.rgb[..., 2] == 0.5).all()
        (flat,) = visualize([FeatureMap("a", torch.ones(1, 5, 4, 4))], MapStyle("pca"))
        assert (flat.rgb == 0.5).all()


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


class TestSheet:
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


class TestExplorer:
    def test_small_vectors_keep_the_cosines(self):
        spectrum = 1 / (1 + torch.arange(200.0))  # how trained tokens' directions fall off
        values = torch.einsum(
            "cd,dn->cn", torch.linalg.qr(noise(200, 200)).Q, spectrum[:, None] * noise(200, 90)
        )
        small = project_tokens(values.view(200, 9, 10))
        assert small.shape == (9, 10, CHANNELS)
        cells = torch.nn.functional.normalize(values.T, dim=1)
        found = small.flatten(0, 1).half().float()
        assert (found @ found.T - cells @ cells.T).abs().max() < 0.03

    def test_few_channels_are_exact(self):
        values = noise(40, 3, 4)
        small = project_tokens(values)
        assert small.shape == (3, 4, 40)
        cells = torch.nn.functional.normalize(values.flatten(1).T, dim=1)
        torch.testing.assert_close(small.flatten(0, 1), cells)

    def test_the_pack_holds_what_the_header_says(self):
        stages = [
            TokenMap(
                f"stage {i}",
                "note",
                "stage",
                96,
                noise(2, 3, 5, seed=i).half(),
                noise(2, 3, 3).byte(),
            )
            for i in range(3)
        ]
        depth = Depth(noise(1, 30, 40), "inverse")
        content = pack("a title", torch.full((3, 30, 40), 0.5), depth, stages, "viridis")
        assert content[:4] == b"DPTS"
        length = int.from_bytes(content[4:8], "little")
        header, body = json.loads(content[8 : 8 + length]), content[8 + length :]
        assert (header["version"], header["title"], (8 + length) % 8) == (1, "a title", 0)
        for entry, tokens in zip(header["maps"], stages, strict=True):
            shape = (entry["rows"], entry["columns"], entry["length"])
            assert entry["vectors"] % 8 == 0
            vectors = np.frombuffer(body, "<f2", 30, entry["vectors"]).reshape(shape)
            np.testing.assert_array_equal(vectors, tokens.vectors.numpy())
            rgb = np.frombuffer(body, np.uint8, 18, entry["rgb"]).reshape(2, 3, 3)
            np.testing.assert_array_equal(rgb, tokens.rgb.numpy())
        entry = header["colormap"]
        assert entry["length"] == 3 * 256
        colours = np.frombuffer(body, np.uint8, entry["length"], entry["offset"]).reshape(-1, 3)
        expected = colorize(torch.linspace(0, 1, 256)[None, None], "viridis")[0, 0] * 255
        np.testing.assert_array_equal(colours, expected.round().byte().numpy())
        for name, level in (("photo", 127), ("depth", None)):
            entry = header[name]
            picture = body[entry["offset"] : entry["offset"] + entry["length"]]
            with Image.open(io.BytesIO(picture)) as image:
                assert image.size == (40, 30)
                assert level is None or abs(image.getpixel((5, 5))[0] - level) <= 2


class TestCaptureTokens:
    def test_tokens_are_those_of_the_first_image(self, write_depth_anything, tmp_path):
        model = dpt_core.load(write_depth_anything(tmp_path / "depth_anything_v2_vits.pth"))
        images = torch.rand(2, 3, 56, 70, generator=torch.Generator().manual_seed(0))
        with capture_tokens(model, (56, 70), 56) as tokens:
            found = extract_features(model, images, FeatureSpec("stages"), resolution=56)
        assert torch.equal(found.depth.values, model.infer(images, 56, 1).values)
        assert [t.kind for t in tokens] == ["patches", *["stage"] * 4, *["block"] * 12]
        for stage, token in zip(found.maps, tokens[1:5], strict=True):
            unit = torch.nn.functional.normalize(stage.values[0], dim=0).movedim(0, -1)
            assert token.label == stage.label
            torch.testing.assert_close(token.vectors.float(), unit, atol=1e-3, rtol=0)
            assert token.rgb.shape == (4, 5, 3)
            assert token.rgb.float().std() > 20

    def test_colours_are_those_of_the_contact_sheet(self, write_depth_anything, tmp_path):
        model = dpt_core.load(write_depth_anything(tmp_path / "depth_anything_v2_vits.pth"))
        image = torch.rand(1, 3, 56, 70, generator=torch.Generator().manual_seed(0))
        with capture_tokens(model, (56, 70), 56) as tokens:
            model.infer(image, 56)
        for kind, name in (("patches", "patches"), ("stage", "stages"), ("block", "blocks")):
            maps = extract_features(model, image, FeatureSpec(cast(Any, name)), resolution=56).maps
            drawn = visualize(maps, MapStyle("pca"))
            explored = [token for token in tokens if token.kind == kind]
            for token, picture in zip(explored, drawn, strict=True):
                difference = token.rgb.float() / 255 - picture.rgb[0]
                assert difference.abs().max() < 0.01, token.label

    def test_a_single_patch(self, write_depth_anything, tmp_path):
        model = dpt_core.load(write_depth_anything(tmp_path / "depth_anything_v2_vits.pth"))
        with capture_tokens(model, (1, 1), 14) as tokens:
            model.infer(torch.rand(1, 3, 1, 1), 14)
        assert all(torch.isfinite(token.vectors).all() for token in tokens)

    def test_colours_of_like_maps_are_alike(self):
        # Components that swap or change sign are rotated back.
        scores = noise(2, 8, 8, 3)
        turned = scores @ torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
        torch.testing.assert_close(align_scores(turned, scores), scores)
