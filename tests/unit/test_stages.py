"""Maps of every part of a model, against the parts called directly."""

import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

import dpt_core
from dpt_core import DepthModel, DPTConfig, HybridConfig, ImageRule, SwinConfig, ViTConfig, capture
from dpt_core.checkpoint.inspection import Inspection
from dpt_core.depth.config import DepthHeadConfig, ReassembleConfig
from dpt_core.depth.network import DPT
from dpt_core.depth.reassemble import SCALES
from dpt_core.stages import (
    FEATURE_NAMES,
    Ablation,
    FeatureSpec,
    ablate,
    block_norms,
    extract_features,
)
from dpt_core.stages.blocks import list_blocks
from dpt_core.stages.explorer import capture_tokens
from dpt_core.stages.feature_map import FeatureName
from dpt_core.stages.grid import tokens_to_map

VIT = ViTConfig(
    width=16,
    heads=2,
    mlp_hidden=24,
    gated_mlp=False,
    patch=8,
    stage_depths=(2, 1, 1, 1),
    grid=(4, 4),
    positions="dinov2",
    layer_scale=True,
    norm_eps=1e-6,
    final_norm_eps=1e-6,
)
BEIT = replace(VIT, positions="relative", final_norm_eps=None)
HYBRID = HybridConfig(
    vit=replace(VIT, patch=16, positions="bilinear", stage_depths=(0, 0, 1, 1)),
    stem=32,
    widths=(128, 128, 128),
    layers=(1, 1, 1),
)
SWIN = SwinConfig(
    version=2,
    width=8,
    heads=(2, 2, 2, 2),
    mlp_hidden=(16, 32, 64, 128),
    bias_hidden=8,
    patch=2,
    stage_depths=(2, 2, 1, 1),
    window=4,
    pretrained_window=(0, 0, 0, 0),
    side=32,
    norm_eps=1e-5,
)
ENCODERS = {
    "dinov2": VIT,
    "beit": BEIT,
    "hybrid": HYBRID,
    "swin2": SWIN,
    "swin1": replace(SWIN, version=1, bias_hidden=0),
}


def make_model(name: str) -> DepthModel:
    """A tiny model with seeded random weights that no file stands behind."""
    encoder = ENCODERS[name]
    resampled = {"hybrid": (3,), "swin1": (), "swin2": ()}.get(name, (0, 1, 3))
    a, b, c, d = (
        ReassembleConfig(
            width=width,
            channels=width,
            readout=name == "beit" or (name == "hybrid" and i > 1),
            projected=False,
            resampled=i in resampled,
        )
        for i, width in enumerate(encoder.stage_widths)
    )
    fit = "square" if name.startswith("swin") else "cover"
    half = (0.5, 0.5, 0.5)
    image = ImageRule(half, half, 32, encoder.multiple, fit, "bilinear", False)
    net = DPT(DPTConfig("tiny", encoder, (a, b, c, d), 6, DepthHeadConfig((4, 5)), image))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, weight in net.named_parameters():
            middle = 0.8 if weight.ndim == 1 and "weight" in key else 0.0
            weight.normal_(middle, 0.3, generator=generator)
    net.eval().requires_grad_(False)
    inspection = Inspection(Path("tiny.pth"), "tiny", "none", net.config, (), 0, "float32", 0)
    return DepthModel(net.config, net, inspection, torch.device("cpu"), torch.float32)


def inside(model: DepthModel) -> Any:
    """Its network, for tests that call the parts by name."""
    return model.net


@pytest.fixture(params=list(ENCODERS))
def model(request: pytest.FixtureRequest) -> DepthModel:
    return make_model(request.param)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(2))


def run_by_hand(model: DepthModel, images: Tensor) -> dict[str, list[Tensor]]:
    """The parts of the network, called one after another on one image."""
    inputs = model.preprocess(images)
    net: Any = model.net
    with torch.no_grad():
        stages = net.imgencoder(inputs)
        reassembled = net.reassemble(stages)
        fused = list(net.fusion(reassembled))
        return {
            "stages": [stage.map for stage in stages],
            "reassembled": list(reassembled),
            "fused": fused,
            "head": [net.head.spatial_upsampler(fused[0])],
        }


def first_map(model: DepthModel, images: Tensor, spec: FeatureSpec) -> Tensor:
    """B×C×rows×columns values of the first extracted map."""
    return extract_features(model, images, spec).maps[0].values


class TestExtractFeatures:
    @pytest.mark.parametrize("name", ["stages", "reassembled", "fused", "head"])
    def test_maps_are_what_the_parts_return(
        self, model: DepthModel, images: Tensor, name: FeatureName
    ):
        found = extract_features(model, images, FeatureSpec(name))
        for number in range(2):
            expected = run_by_hand(model, images[number : number + 1])[name]
            for stage, wanted in zip(found.maps, expected, strict=name != "head"):
                torch.testing.assert_close(stage.values[number], wanted[0], rtol=0, atol=0)

    @pytest.mark.parametrize("name", FEATURE_NAMES)
    def test_depth_is_bit_identical_and_no_hook_stays(
        self, model: DepthModel, images: Tensor, name: FeatureName
    ):
        expected = model.infer(images)
        found = extract_features(model, images, FeatureSpec(name))
        assert torch.equal(found.depth.values, expected.values)
        assert found.depth.kind == expected.kind
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.net.modules())
        for stage in found.maps:
            assert len(stage.values) == 2
            assert stage.values.dtype == torch.float32

    def test_every_block_is_there_and_one_can_be_chosen(self, model: DepthModel, images: Tensor):
        every = extract_features(model, images, FeatureSpec("blocks")).maps
        blocks = list_blocks(model.net)
        assert len(every) == len(blocks) == sum(model.config.encoder.stage_depths)
        for info, stage in zip(blocks, every, strict=True):
            (one,) = extract_features(model, images, FeatureSpec("block", block=info.index)).maps
            assert one.label == stage.label == f"block {info.index + 1}"
            assert torch.equal(one.values, stage.values)

    def test_the_last_block_is_the_last_stage_before_its_norm(self, model, images):
        (block,) = extract_features(model, images, FeatureSpec("block")).maps
        stage = extract_features(model, images, FeatureSpec("stages")).maps[3]
        norm = getattr(inside(model).imgencoder, "norm", torch.nn.Identity())
        expected = norm(block.values.movedim(1, -1)).movedim(-1, 1)
        torch.testing.assert_close(stage.values, expected, rtol=0, atol=1e-6)

    def test_patch_tokens_are_the_embedding_of_each_patch(self, images: Tensor):
        model = make_model("dinov2")
        (patches,) = extract_features(model, images[:1], FeatureSpec("patches")).maps
        proj = inside(model).imgencoder.patch_embed.proj
        x = model.preprocess(images[:1])
        assert patches.values.shape == (1, 16, x.shape[2] // 8, x.shape[3] // 8)
        patch = x[0, :, 8:16, 24:32]
        expected = proj.weight.flatten(1) @ patch.flatten() + proj.bias
        torch.testing.assert_close(patches.values[0, :, 1, 3], expected)

    def test_captured_maps_are_copies(self, images: Tensor):
        model = make_model("dinov2")
        seen: list[Tensor] = []
        handle = inside(model).reassemble.spatial_upx4.register_forward_hook(
            lambda _m, _i, output: seen.append(output)
        )
        (first, *_) = extract_features(model, images[:1], FeatureSpec("reassembled")).maps
        handle.remove()
        assert torch.equal(first.values, seen[0])
        assert first.values.data_ptr() != seen[0].data_ptr()

    def test_the_networks_own_tokens_are_let_go_as_it_runs(self, images: Tensor):
        # Otherwise a deep model at a high resolution would fill the device.
        model = make_model("dinov2")
        first, *_, last = (inside(model).get_submodule(p.name) for p in list_blocks(model.net))
        tokens: list[Any] = []
        alive: list[bool] = []
        handles = [
            first.register_forward_hook(lambda _m, _i, out: tokens.append(weakref.ref(out))),
            last.register_forward_hook(lambda _m, _i, _o: alive.append(tokens[0]() is not None)),
        ]
        with capture_tokens(model, (40, 48)):
            extract_features(model, images[:1], FeatureSpec("blocks"))
        for handle in handles:
            handle.remove()
        assert alive == [False]

    def test_disparity_of_metres_is_the_reciprocal(self, images: Tensor):
        model = make_model("dinov2")
        head = replace(model.config.head, kind="metres", activation="sigmoid", max_depth=20.0)
        model.config = replace(model.config, head=head)
        model.net.head.config = head
        found = extract_features(model, images, FeatureSpec("depth"))
        torch.testing.assert_close(found.maps[0].values[:, 0], 1 / found.depth.values)


class TestPositions:
    def test_absolute_ones_are_what_is_added(self, images: Tensor):
        for name in ("dinov2", "hybrid"):
            model = make_model(name)
            positions = first_map(model, images[:1], FeatureSpec("positions"))
            posenc = inside(model).imgencoder.posenc
            grid = (positions.shape[2], positions.shape[3])
            tokens = torch.rand(1, 1 + grid[0] * grid[1], 16)
            added = tokens_to_map(posenc(tokens, grid) - tokens, grid)
            torch.testing.assert_close(positions, added, atol=1e-6, rtol=0)

    def test_relative_ones_depend_on_the_point(self, images: Tensor):
        model = make_model("beit")
        grids = {}
        for x in (0.0, 1.0):
            spec = FeatureSpec("positions", block=0, point=(x, 0.5))
            grids[x] = first_map(model, images[:1], spec)
        block = inside(model).imgencoder.stages[0].blocks[0]
        rows, columns = grids[0.0].shape[-2:]
        offsets = block.relative_bias.offsets((rows, columns), torch.empty(0))
        bias = block.relative_bias.expand((rows, columns), offsets)
        index = 1 + rows // 2 * columns
        assert torch.equal(grids[0.0][0].flatten(1), bias[:, index, 1:])
        assert torch.equal(grids[1.0][0].flatten(1), bias[:, index + columns - 1, 1:])

    def test_swin_shows_the_window_of_the_point(self, images: Tensor):
        for name in ("swin1", "swin2"):
            stage = extract_features(
                make_model(name), images[:1], FeatureSpec("positions", block=0)
            ).maps[0]
            assert stage.windows == (4, 0)
            assert stage.values.shape == (1, 2, 16, 16)
            known = ~stage.values[0, 0].isnan()
            assert known.sum() == 16
            assert known[8:12, 8:12].all()


POINTS = [(0.0, 0.0), (0.99, 0.0), (0.3, 0.7), (1.0, 1.0)]


class TestAttention:
    """Weights times values must be what the layer itself makes, wherever the window lies."""

    @pytest.mark.parametrize("point", POINTS)
    @pytest.mark.parametrize("number", [0, 1, 2])
    @pytest.mark.parametrize("name", ["swin1", "swin2"])
    def test_in_windows(self, name: str, number: int, point: tuple[float, float], images: Tensor):
        model = make_model(name)
        info = list_blocks(model.net)[number]
        block = inside(model).get_submodule(info.name)
        seen: dict[str, Tensor] = {}

        def attended(_module: Any, _inputs: Any, output: Tensor) -> None:
            seen["out"] = merge(output, block)

        handles = [
            block.register_forward_pre_hook(lambda _m, inputs: seen.update(x=inputs[0])),
            block.attn.register_forward_hook(attended),
        ]
        heads = [
            first_map(model, images[:1], FeatureSpec("attention", number, head, "point", point))
            for head in range(2)
        ]
        for handle in handles:
            handle.remove()
        x = seen["x"] if name == "swin2" else block.norm_attn(seen["x"])
        value = block.attn.qkv(x)[0].chunk(3, dim=-1)[2].unflatten(-1, (2, -1))
        mixed = torch.cat(
            [
                (w[0, 0].nan_to_num()[..., None] * value[:, :, h]).sum((0, 1))
                for h, w in enumerate(heads)
            ]
        )
        side = heads[0].shape[-1]
        row, column = (min(int(p * side), side - 1) for p in (point[1], point[0]))
        torch.testing.assert_close(block.attn.proj(mixed), seen["out"][0, row, column])
        assert torch.isfinite(heads[0]).sum() == min(4, side) ** 2

    @pytest.mark.parametrize("name", ["dinov2", "beit", "hybrid"])
    def test_of_tokens(self, name: str, images: Tensor):
        model = make_model(name)
        info = list_blocks(model.net)[-2]
        block = inside(model).get_submodule(info.name)
        seen: dict[str, Tensor] = {}
        handle = block.attn.register_forward_hook(
            lambda _m, inputs, output: seen.update(x=inputs[0], out=output)
        )

        def weights(source: Any, point: tuple[float, float], head: int | None) -> Tensor:
            spec = FeatureSpec("attention", info.index, head, source, point)
            return first_map(model, images[:1], spec)[0, 0]

        weights("point", (0, 0), 0)
        value = block.attn.qkv(seen["x"])[0].chunk(3, dim=-1)[2].unflatten(-1, (2, -1))
        rows, columns = weights("point", (0, 0), 0).shape
        for source, point in [("cls", (0, 0)), *(("point", p) for p in POINTS)]:
            mixed = []
            for head in range(2):
                line = weights(source, point, head).flatten()
                both = torch.cat([1 - line.sum()[None], line])  # the rest is on the cls token
                mixed.append(both @ value[:, head])
            row, column = (
                min(int(p * n), n - 1) for p, n in zip(point[::-1], (rows, columns), strict=True)
            )
            index = 0 if source == "cls" else 1 + row * columns + column
            torch.testing.assert_close(block.attn.proj(torch.cat(mixed)), seen["out"][0, index])
        handle.remove()

        centres = [
            ((c + 0.5) / columns, (r + 0.5) / rows) for r in range(rows) for c in range(columns)
        ]
        mean = torch.stack([weights("point", p, 1) for p in centres]).mean(dim=0)
        torch.testing.assert_close(weights("average", (0, 0), 1), mean)
        both = (weights("average", (0, 0), 0) + weights("average", (0, 0), 1)) / 2
        torch.testing.assert_close(weights("average", (0, 0), None), both)

    def test_average_in_windows_is_the_mean_within_each(self, images: Tensor):
        model = make_model("swin2")

        def weights(source: Any, point: tuple[float, float] = (0, 0)) -> Tensor:
            spec = FeatureSpec("attention", 1, 0, source, point)
            return first_map(model, images[:1], spec)[0, 0]

        total = torch.zeros(16, 16)
        for r in range(16):
            for c in range(16):
                total += weights("point", ((c + 0.5) / 16, (r + 0.5) / 16)).nan_to_num()
        torch.testing.assert_close(weights("average"), total / 16)

    def test_the_average_of_many_rows_is_taken_in_parts(self, images: Tensor, monkeypatch):
        model = make_model("beit")
        whole = first_map(model, images, FeatureSpec("attention", query="average"))
        monkeypatch.setattr("dpt_core.stages.attention.ROWS", 3)
        parts = first_map(model, images, FeatureSpec("attention", query="average"))
        torch.testing.assert_close(parts, whole)


def merge(windows: Tensor, block: Any) -> Tensor:
    """B×n×n×L×C of a Swin layer → B×side×side×C in the order of the map."""
    side = int(windows.shape[3] ** 0.5)
    x = windows.unflatten(3, (side, side)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
    shift = side // 2 if block.shifted and x.shape[1] > side else 0
    return x.roll((shift, shift), dims=(1, 2))


class TestErrors:
    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            (FeatureSpec("block", block=5), r"Block 6 was requested, but this model has 5 blocks"),
            (FeatureSpec("attention", head=2), r"Head 3 was requested, but this block has 2 heads"),
            (FeatureSpec("attention", point=(0.5, 1.5)), r"x = 0.5, y = 1.5; both go from 0"),
            (
                FeatureSpec(cast(Any, "smell")),
                r"no features 'smell'; choose one of patches, stages",
            ),
        ],
    )
    def test_errors_name_what_is_missing(self, spec: FeatureSpec, message: str, images: Tensor):
        model = make_model("dinov2")
        with pytest.raises(ValueError, match=message):
            extract_features(model, images, spec)
        assert not any(m._forward_hooks for m in model.net.modules())

    def test_maps_that_do_not_fit_into_memory_are_refused_at_the_first_image(self, images: Tensor):
        model = make_model("dinov2")
        spec, done = FeatureSpec("stages"), []
        needed = sum(stage.values.nbytes for stage in extract_features(model, images, spec).maps)
        extract_features(model, images, spec, max_bytes=needed)
        with pytest.raises(ValueError, match=r"maps of 2 images would take 0\.0 GB of memory"):
            extract_features(
                model, images, spec, max_bytes=needed - 1, progress=lambda *at: done.append(at)
            )
        assert not done
        assert not any(m._forward_hooks for m in model.net.modules())

    def test_no_images(self):
        with pytest.raises(ValueError, match="There are no images"):
            extract_features(make_model("dinov2"), torch.rand(0, 3, 40, 48), FeatureSpec("stages"))

    def test_swin_has_no_cls_token(self, images: Tensor):
        with pytest.raises(ValueError, match="Swin has no cls token"):
            extract_features(make_model("swin1"), images, FeatureSpec("attention", query="cls"))


class TestAblation:
    def test_a_stage_left_out_is_a_map_of_zeros(self, model: DepthModel, images: Tensor):
        ablation = Ablation(fusion=(1.0, 0.0, 1.0, 2.5))
        before = extract_features(model, images, FeatureSpec("reassembled"))
        after = extract_features(model, images, FeatureSpec("reassembled"), ablation=ablation)
        assert after.maps[1].values.abs().max() == 0
        assert torch.equal(after.maps[3].values, 2.5 * before.maps[3].values)
        with ablate(model.net, ablation):
            fused = first_map(model, images, FeatureSpec("fused"))
        for number in range(2):
            with torch.no_grad():
                maps = [s.values[number : number + 1] for s in after.maps]
                (expected, *_) = inside(model).fusion(maps)
            # The convolutions' order of sums depends on the maps' layout in memory.
            assert (fused[number] - expected[0]).abs().max() < 1e-5 * expected.std()
        assert not torch.equal(after.depth.values, before.depth.values)

    def test_factors_of_one_change_nothing(self, model: DepthModel, images: Tensor):
        expected = model.infer(images).values
        with ablate(model.net, Ablation()):
            assert torch.equal(model.infer(images).values, expected)

    def test_a_skipped_block_passes_its_input_on(self, model: DepthModel, images: Tensor):
        last = len(list_blocks(model.net)) - 1
        spec = FeatureSpec("block", block=last)
        skipped = extract_features(model, images, spec, ablation=Ablation(skip_blocks=(last,)))
        block = inside(model).get_submodule(list_blocks(model.net)[last].name)
        seen: list[Tensor] = []
        handle = block.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
        expected = extract_features(model, images, spec).depth
        handle.remove()
        assert not torch.equal(skipped.depth.values, expected.values)
        grid = (skipped.maps[0].values.shape[2], skipped.maps[0].values.shape[3])
        assert torch.equal(
            skipped.maps[0].values, torch.cat([tokens_to_map(x, grid) for x in seen])
        )

    def test_capture_sees_the_ablation_in_either_order(self, images: Tensor):
        model = make_model("dinov2")
        ablation = Ablation(skip_blocks=(1,), fusion=(2.0, 1.0, 1.0, 1.0))
        names = ["imgencoder.stages.0.blocks.1", f"reassemble.{SCALES[0]}"]
        with capture(model.net, names) as early, ablate(model.net, ablation):
            model.infer(images[:1])
        with ablate(model.net, ablation), capture(model.net, names) as late:
            model.infer(images[:1])
        assert all(torch.equal(early[name], late[name]) for name in names)

    def test_a_block_that_is_not_there(self, images: Tensor):
        model = make_model("dinov2")
        with (
            pytest.raises(ValueError, match="this model has 5 blocks"),
            ablate(model.net, Ablation(fusion=(2.0, 1.0, 1.0, 1.0), skip_blocks=(9,))),
        ):
            pass
        assert not any(m._forward_hooks for m in model.net.modules())


def test_norms_are_those_of_the_blocks(model: DepthModel, images: Tensor):
    norms, depth = block_norms(model, images)
    every = extract_features(model, images, FeatureSpec("blocks"))
    expected = torch.stack([s.values.norm(dim=1).mean(dim=(1, 2)) for s in every.maps], dim=1)
    torch.testing.assert_close(norms, expected)
    assert torch.equal(depth.values, every.depth.values)


def test_it_works_for_a_loaded_checkpoint_in_half_precision(
    tmp_path: Path, write_depth_anything: Callable[..., Path], images: Tensor
):
    path = write_depth_anything(tmp_path / "depth_anything_v2_vits.pth")
    loaded = dpt_core.load(path, dtype=torch.bfloat16)
    found = extract_features(
        loaded, images, FeatureSpec("attention", query="average"), resolution=70
    )
    assert found.maps[0].values.shape == (2, 1, 5, 6)
    assert found.maps[0].values.sum(dim=(2, 3)).max() <= 1.01
