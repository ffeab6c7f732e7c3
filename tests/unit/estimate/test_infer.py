"""Images to depth: chunks, progress, memory, unusual sizes and number formats."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dpt_core import DepthModel, load
from dpt_core.checkpoint.family import Family
from dpt_core.depth.families import FAMILIES
from dpt_core.depth.network import Prediction
from dpt_core.errors import PrecisionWarning
from dpt_core.estimate.precision import in_float32
from tests.builders import tiny_checkpoint, write_checkpoint, write_depth_anything

SIDE = 28  # network pixels: two patches


@pytest.fixture
def model(tmp_path: Path) -> DepthModel:
    return load(write_depth_anything(tmp_path / "depth_anything_v2_vits.safetensors"))


def images(count: int = 1, height: int = 30, width: int = 41) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def assert_same(ours: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


def run_out_of_memory_above(limit: int, model: DepthModel, monkeypatch: Any) -> list[int]:
    """Make the network fail on larger batches; gives a list that fills with their sizes."""
    tried: list[int] = []
    predict = model.net.predict

    def limited(batch: Tensor) -> Any:
        tried.append(len(batch))
        if len(batch) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")
        return predict(batch)

    monkeypatch.setattr(model.net, "predict", limited)
    return tried


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100, None])
def test_chunks_give_what_single_images_give(model: DepthModel, batch_size: int | None) -> None:
    batch = images(7)
    single = torch.cat([model.infer(batch[i : i + 1], SIDE).values for i in range(7)])
    assert single.std() > 1e-3
    assert_same(model.infer(batch, SIDE, batch_size).values, single)


def test_progress_counts_images(model: DepthModel) -> None:
    calls: list[tuple[int, int]] = []
    model.infer(images(5), SIDE, 2, lambda done, total: calls.append((done, total)))
    assert calls == [(2, 5), (4, 5), (5, 5)]


def test_an_exception_in_progress_ends_the_work(model: DepthModel, monkeypatch: Any) -> None:
    tried = run_out_of_memory_above(99, model, monkeypatch)

    class Interrupted(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        model.infer(images(5), SIDE, 1, stop)
    assert tried == [1, 1]


def test_out_of_memory_halves_the_chunk_and_loses_nothing(
    model: DepthModel, monkeypatch: Any
) -> None:
    batch = images(7)
    expected = model.infer(batch, SIDE).values
    tried = run_out_of_memory_above(2, model, monkeypatch)
    calls: list[int] = []
    depth = model.infer(batch, SIDE, 6, lambda done, _: calls.append(done)).values
    assert tried == [6, 3, 1, 1, 1, 1, 1, 1, 1]
    assert calls == [1, 2, 3, 4, 5, 6, 7]
    assert_same(depth, expected)


def test_out_of_memory_with_one_image_is_an_error(model: DepthModel, monkeypatch: Any) -> None:
    tried = run_out_of_memory_above(0, model, monkeypatch)
    with pytest.raises(torch.OutOfMemoryError):
        model.infer(images(3), SIDE, 2)
    assert tried == [2, 1]


def test_other_errors_are_not_tried_again(model: DepthModel, monkeypatch: Any) -> None:
    def fail(batch: Tensor) -> Any:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(model.net, "predict", fail)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        model.infer(images(4), SIDE, 4)


@pytest.mark.parametrize("count", [1, 3])
def test_images_are_left_as_they_are(model: DepthModel, count: int) -> None:
    for batch in (images(count), images(count, SIDE, SIDE)):  # resized, and of the right size
        before = batch.clone()
        model.infer(batch, SIDE)
        model.preprocess(batch, SIDE)
        assert torch.equal(batch, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3), (517, 29), (28, 28)])
@pytest.mark.parametrize("resolution", [14, SIDE])
def test_any_size_and_aspect(model: DepthModel, size: tuple[int, int], resolution: int) -> None:
    if max(size) == 300:
        resolution = 14  # both sides at least the resolution: 1×300 becomes 14×4200
    depth = model.infer(images(1, *size), resolution)
    assert depth.values.shape == (1, *size)
    assert torch.isfinite(depth.values).all()


def test_no_images_give_no_depth(model: DepthModel) -> None:
    assert model.infer(images(0), SIDE).values.shape == (0, 30, 41)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_images_of_other_number_formats_count_by_their_values(
    model: DepthModel, dtype: torch.dtype
) -> None:
    batch = images(2).to(dtype)
    assert_same(model.infer(batch, SIDE).values, model.infer(batch.float(), SIDE).values)


def test_memory_order_of_the_images_does_not_matter(model: DepthModel) -> None:
    batch = images(2)
    rows_first = batch.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert_same(model.infer(rows_first, SIDE).values, model.infer(batch, SIDE).values)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"resolution": 0}, "resolution is 0"),
        ({"resolution": -14}, "resolution is -14"),
        ({"resolution": 13}, "resolution is 13; it must be at least 14"),
        ({"fov": -3}, "field of view is -3 degrees"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_impossible_numbers_are_refused(
    model: DepthModel, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        model.infer(images(), **wrong)


def test_strips_whose_network_input_would_explode_are_refused(model: DepthModel) -> None:
    with pytest.raises(ValueError, match=r"4096×2 pixels would enter .* Crop them"):
        model.infer(torch.rand(1, 3, 2, 4096), 252)


def test_a_model_is_whole_after_memory_ran_out_on_the_way_to_float32(
    model: DepthModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_way() -> None:
        next(model.net.parameters()).data = next(model.net.parameters()).data.float()
        raise torch.OutOfMemoryError("out of memory")

    model.net.bfloat16()
    monkeypatch.setattr(model.net, "float", half_way)
    with pytest.raises(torch.OutOfMemoryError), in_float32(model.net, torch.bfloat16, False):
        pass
    assert {parameter.dtype for parameter in model.net.parameters()} == {torch.bfloat16}


def test_broken_images_are_refused_before_anything_runs(
    model: DepthModel, monkeypatch: Any
) -> None:
    tried = run_out_of_memory_above(99, model, monkeypatch)
    batch = images(3)
    batch[1, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="Image 1 "):
        model.infer(batch, SIDE)
    with pytest.raises(ValueError, match="RGB"):
        model.infer(torch.zeros(1, 4, 30, 30), SIDE)
    assert tried == []


def test_bfloat16_stays_near_float32(tmp_path: Path) -> None:
    path = write_depth_anything(tmp_path / "depth_anything_v2_vits.safetensors")
    expected = load(path).infer(images(2), 70).values
    model = load(path, dtype=torch.bfloat16)
    assert all(p.dtype == torch.bfloat16 for p in model.net.parameters())
    depth = model.infer(images(2), 70).values
    assert depth.dtype == torch.float32
    errors = (depth - expected).abs() / expected.std()
    assert errors.max() < 0.25  # 8 bits of mantissa through 12 blocks and the decoder
    assert errors.mean() < 0.04


@pytest.mark.parametrize("damage", [float("nan"), float("inf"), None])
def test_an_image_lost_in_half_precision_is_run_again_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: float | None
) -> None:
    path = write_depth_anything(tmp_path / "depth_anything_v2_vits.safetensors")
    exact = load(path).infer(images(4), SIDE).values
    model = load(path, dtype=torch.bfloat16)
    half = model.infer(images(4), SIDE, batch_size=4).values
    weights = {name: p.clone() for name, p in model.net.named_parameters()}
    ran: list[tuple[int, torch.dtype]] = []
    predict = model.net.predict

    def breaking(batch: Tensor) -> Prediction:
        ran.append((len(batch), batch.dtype))
        depth, sky = predict(batch)
        if batch.dtype == torch.bfloat16:
            depth[1] = 0
            if damage is not None:
                depth[1, 0, 3] = damage
        return Prediction(depth, sky)

    monkeypatch.setattr(model.net, "predict", breaking)
    with pytest.warns(PrecisionWarning, match=r"1 image ran again in float32"):
        depth = model.infer(images(4), SIDE, batch_size=4).values
    assert ran == [(4, torch.bfloat16), (1, torch.float32)]
    kept = [0, 2, 3]
    assert torch.equal(depth[kept], half[kept])
    # The weights were rounded to bfloat16 when they were loaded.
    assert (depth[1] - exact[1]).abs().max() < 0.25 * exact.std()
    assert all(torch.equal(p, weights[name]) for name, p in model.net.named_parameters())
    assert all(p.dtype == torch.bfloat16 for p in model.net.parameters())


def test_equal_depth_in_float32_is_left_as_it_is(
    model: DepthModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []

    def flat(batch: Tensor) -> Prediction:
        ran.append(len(batch))
        return Prediction(torch.zeros(len(batch), *batch.shape[-2:]), None)

    monkeypatch.setattr(model.net, "predict", flat)
    assert not model.infer(images(2), SIDE, batch_size=2).values.any()
    assert ran == [2]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f"{f.name}, {f.layout}")
def test_every_layout_gives_depth_at_the_images_size(family: Family, tmp_path: Path) -> None:
    model = load(
        write_checkpoint(tmp_path / "models" / "model.safetensors", tiny_checkpoint(family))
    )
    depth = model.infer(images(2, 50, 33))
    assert depth.values.shape == (2, 50, 33)
    assert depth.values.dtype == torch.float32
    assert depth.values.device.type == "cpu"
    assert depth.values.std() > 1e-6
    assert depth.kind == ("depth" if model.config.head.sky else "inverse")
    assert (depth.sky is not None) == model.config.head.sky
    assert not any(p.requires_grad for p in model.net.parameters())
    assert not model.net.training


def test_metric_models_give_metres_within_their_range(tmp_path: Path) -> None:
    path = write_depth_anything(tmp_path / "depth_anything_v2_metric_hypersim_vits.pth")
    depth = load(path).infer(images(), SIDE)
    assert depth.kind == "metres"
    assert 0 < depth.values.min() < depth.values.max() < 20
    twice = load(path, max_depth=40).infer(images(), SIDE)
    assert_same(twice.values, 2 * depth.values)


def test_depth_anything_3_needs_the_field_of_view_for_metres(tmp_path: Path) -> None:
    family = next(family for family in FAMILIES if "Depth Anything 3" in family.name)
    path = write_checkpoint(
        tmp_path / "DA3METRIC-LARGE" / "model.safetensors", tiny_checkpoint(family)
    )
    model = load(path)
    batch = images(1, 56, 84)
    distance = model.infer(batch, 84)
    metres = model.infer(batch, 84, fov=90)
    assert (distance.kind, metres.kind) == ("depth", "metres")
    # 90 degrees across 84 pixels: a focal length of 42, and the network's unit is at 300.
    assert_same(metres.values, distance.values * 42 / 300)
    for fov in (0, 180, -1, float("nan")):
        with pytest.raises(ValueError, match="more than 0 and less than 180"):
            model.infer(batch, 84, fov=fov)


@pytest.mark.parametrize(("sky_rows", "is_filled"), [(40, True), (0, False), (84, False)])
def test_the_sky_is_as_far_as_almost_everything_else(
    sky_rows: int, is_filled: bool, tmp_path: Path, monkeypatch: Any
) -> None:
    family = next(family for family in FAMILIES if "Depth Anything 3" in family.name)
    model = load(
        write_checkpoint(tmp_path / "DA3MONO-LARGE" / "model.safetensors", tiny_checkpoint(family))
    )
    distance = 1 + torch.rand(1, 84, 84, generator=torch.Generator().manual_seed(0))
    score = torch.zeros(1, 84, 84)
    score[:, :sky_rows] = 0.3
    monkeypatch.setattr(model.net, "predict", lambda batch: Prediction(distance, score))
    depth = model.infer(images(1, 84, 84), 84)
    assert depth.sky is not None
    assert torch.equal(depth.sky, score)
    expected = distance.clone()
    if is_filled:
        expected[:, :sky_rows] = distance[:, sky_rows:].quantile(0.99)
    torch.testing.assert_close(depth.values, expected)
