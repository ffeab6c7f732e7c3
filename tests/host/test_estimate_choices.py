"""The advanced choices of Estimate Depth and Estimate Depth with Detail, in this process."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import dpt_core
from dpt_core.estimate.guided_filter import refine_edges
from dpt_core.geometry.camera import intrinsics_of_fov
from dpt_core.render import OutputSize, control_image, resize

PLAIN = {"resolution": 56, "batch_size": 0}
DETAIL = {"tiles": 1, "flip_average": False, "circular": "off", "resolution": 56, "overlap": 0.25}


def photographs(count: int = 2, height: int = 45, width: int = 90) -> Tensor:
    coarse = torch.rand(count, 3, 4, 8, generator=torch.Generator().manual_seed(1))
    fine = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return fine.movedim(1, -1)


@pytest.fixture
def estimate(host: Any, load: Any, tiny: str) -> Any:
    """A function: (**inputs of Estimate Depth) → its raw depth and picture."""
    model = load(tiny).result[0]

    def run(**inputs: Any) -> Any:
        given = {"model": model, "image": photographs(), **PLAIN, **inputs}
        return host.run("DPTEstimateDepth", **given).result

    return run


def test_stretch_shows_the_model_a_square(estimate, tiny, tmp_path):
    library = dpt_core.load(tmp_path / "models/dpt" / tiny)
    images = photographs().movedim(-1, 1)
    expected = library.infer(images, 56, fit="stretch")
    assert library.preprocess(images, 56, fit="stretch").shape[-2:] == (56, 56)

    depth, picture = estimate(aspect="stretch")
    assert depth.values.shape == (2, 45, 90)
    torch.testing.assert_close(depth.values, expected.values, rtol=1e-4, atol=1e-4)
    kept = estimate(aspect="keep")[0].values
    assert torch.equal(kept, estimate()[0].values)
    assert (kept - depth.values).abs().max() > 0.1 * kept.std()
    assert picture.shape == (2, 45, 90, 3)


@pytest.mark.parametrize(
    ("choice", "size"),
    [
        ({"picture_size": "as the image"}, (45, 90)),
        ({"picture_size": "multiple", "multiple": 64}, (64, 64)),
        ({"picture_size": "multiple", "multiple": 16}, (48, 96)),
        ({"picture_size": "short side", "pixels": 30}, (30, 60)),
        ({"picture_size": "exact", "width": 64, "height": 40, "fit": "stretch"}, (40, 64)),
        ({"picture_size": "pixel perfect", "width": 60, "height": 60, "outer": False}, (60, 120)),
    ],
)
def test_the_picture_has_the_size_that_is_asked_for(estimate, choice, size):
    depth, picture = estimate(picture_size=choice)
    assert depth.values.shape == (2, 45, 90)
    assert picture.shape == (2, *size, 3)
    grey = control_image(dpt_core.Depth(*depth))
    expected = torch.stack([resize(one, OutputSize(size, "stretch")) for one in grey])
    torch.testing.assert_close(picture[..., 0], expected)


def test_a_crop_keeps_the_aspect(estimate):
    choice = {"picture_size": "exact", "width": 45, "height": 45, "fit": "crop"}
    depth, picture = estimate(picture_size=choice)
    grey = control_image(dpt_core.Depth(*depth))
    assert torch.equal(picture[..., 0], grey[:, :, 22:67])


@pytest.mark.parametrize("flip", [False, True])
def test_raw_depth_in_half_precision(estimate, flip):
    image = photographs(5)
    exact, exact_picture = estimate(image=image, flip_average=flip, fov=60.0, batch_size=2)
    depth, picture = estimate(
        image=image, flip_average=flip, fov=60.0, batch_size=2, raw_precision="float16"
    )
    assert depth.values.dtype == torch.float16
    assert depth.values.untyped_storage().nbytes() == exact.values.nbytes // 2
    assert torch.equal(depth.values, exact.values.half())
    assert torch.equal(depth.intrinsics, exact.intrinsics)
    assert picture.dtype == exact_picture.dtype
    # These random weights' depth does not reach far away, so rounding shows more than usual.
    span = exact.values.amax() / (exact.values.amax() - exact.values.amin())
    assert (picture - exact_picture).abs().max() <= 2 * span * 2**-11


def test_detail_takes_a_field_of_view(host, load, tiny):
    """With one that needs it (Depth Anything 3 metric) depth becomes metres, with tiles too."""
    managed = load(tiny).result[0]
    head = replace(
        managed.model.config.head, kind="depth", activation="exp", metres_per_focal=1 / 300
    )
    config = replace(managed.model.config, head=head)
    managed = replace(managed, model=replace(managed.model, config=config))
    inputs = {"model": managed, "image": photographs()}
    plain = host.run("DPTEstimateDepth", **inputs, **PLAIN, fov=60.0).result[0]
    assert plain.kind == "metres"
    whole = host.run("DPTEstimateDetail", **inputs, **DETAIL, fov=60.0).result[0]
    tiled = host.run("DPTEstimateDetail", **inputs, **{**DETAIL, "tiles": 2}, fov=60.0).result[0]
    nearest = 1e-3  # metres; the tiles are blended in 1/z
    torch.testing.assert_close(whole.values, plain.values.clamp(min=nearest))
    for depth in (whole, tiled):
        assert depth.kind == "metres"
        assert torch.equal(depth.intrinsics[1], intrinsics_of_fov(60.0, 90, 45))
        assert depth.values.median() == pytest.approx(float(plain.values.median()), rel=0.2)
    without = host.run("DPTEstimateDetail", **inputs, **DETAIL).result[0]
    assert without.intrinsics is None
    assert without.kind != "metres"


def test_detail_draws_depth_to_the_images_edges(host, load, tiny):
    inputs = {"model": load(tiny).result[0], "image": photographs(1), **DETAIL}
    soft = host.run("DPTEstimateDetail", **inputs).result[0]
    sharp = host.run("DPTEstimateDetail", **inputs, edge_width=5).result[0]
    expected = refine_edges(soft.values[0], photographs(1)[0].movedim(-1, 0), 5)
    assert not torch.equal(sharp.values, soft.values)
    torch.testing.assert_close(sharp.values[0], expected)
