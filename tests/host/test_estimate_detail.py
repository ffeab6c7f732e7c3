"""Estimate Depth with DetailSettings, in this process."""

from typing import Any

import pytest
import torch

import dpt_core
from dpt_core.estimate.detail import DetailSettings, infer_with_detail
from dpt_core.render import control_image

DEFAULTS = {
    "tiles": 2,
    "flip_average": False,
    "circular": "off",
    "resolution": 56,
    "overlap": 0.25,
}


def photograph() -> torch.Tensor:
    coarse = torch.rand(1, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    fine = torch.nn.functional.interpolate(coarse, size=(70, 90), mode="bilinear")
    return fine.movedim(1, -1)


def test_the_node_gives_what_the_library_gives(host, load, tiny, tmp_path):
    model = load(tiny, precision="float32").result[0]
    image = photograph()
    mask = torch.zeros(1, 70, 90)
    mask[:, 20:40, 30:60] = 1
    inputs = {**DEFAULTS, "flip_average": True, "circular": "left and right", "mask": mask}
    depth, picture = host.run("DPTEstimateDetail", model=model, image=image, **inputs).result

    library = dpt_core.load(tmp_path / "models/dpt" / tiny)
    expected = infer_with_detail(
        lambda part: library.infer(part, 56),
        image[..., :3].movedim(-1, 1),
        DetailSettings(2, 0.25, flip=True, circular="horizontal"),
        mask,
    )
    scale = expected.values.std()
    torch.testing.assert_close(depth.values / scale, expected.values / scale, rtol=0, atol=1e-3)
    assert depth.checkpoint == tiny
    assert picture.shape == (1, 70, 90, 3)
    assert torch.equal(picture[..., 0], control_image(dpt_core.Depth(*depth)))


def test_an_empty_mask_is_none(host, load, tiny):
    model = load(tiny).result[0]
    inputs = {"model": model, "image": photograph(), **DEFAULTS}
    plain = host.run("DPTEstimateDetail", **inputs).result[0]
    masked = host.run("DPTEstimateDetail", **inputs, mask=torch.zeros(1, 64, 64)).result[0]
    assert torch.equal(masked.values, plain.values)


@pytest.mark.parametrize("node", ["DPTEstimateDepth", "DPTEstimateDetail"])
def test_flip_average_cancels_what_depends_on_the_side(host, load, tiny, node, monkeypatch):
    model = load(tiny).result[0]
    images = torch.cat([photograph(), photograph().flip(1)])
    slope = 0.05 * torch.linspace(-1, 1, images.shape[2])

    def leaning(self: Any, part: torch.Tensor, *rest: Any, **options: Any) -> dpt_core.Depth:
        return dpt_core.Depth(part.mean(1) + slope, "inverse")

    monkeypatch.setattr(type(model.model), "infer", leaning)
    inputs = {"model": model, "image": images, "resolution": 0}
    inputs |= {"batch_size": 0} if node == "DPTEstimateDepth" else {**DEFAULTS, "tiles": 1}
    truth = images[..., :3].mean(-1)
    errors = [
        (host.run(node, **{**inputs, "flip_average": flip}).result[0].values - truth).std()
        for flip in (False, True)
    ]
    assert errors[0] > 0.02
    assert errors[1] < 0.5 * errors[0]


def test_one_tile_is_estimate_depth(host, load, tiny):
    model = load(tiny).result[0]
    inputs = {"model": model, "image": photograph()}
    detail = host.run("DPTEstimateDetail", **inputs, **{**DEFAULTS, "tiles": 1}).result[0]
    plain = host.run("DPTEstimateDepth", **inputs, resolution=56, batch_size=0).result[0]
    assert torch.equal(detail.values, plain.values)


def test_flip_average_keeps_the_camera(host, load, tiny):
    inputs = {"model": load(tiny).result[0], "image": photograph().expand(2, -1, -1, -1)}
    inputs |= {"resolution": 56, "batch_size": 0, "fov": 90.0}
    plain, flipped = (
        host.run("DPTEstimateDepth", **inputs, flip_average=flip).result[0]
        for flip in (False, True)
    )
    assert torch.equal(flipped.intrinsics, plain.intrinsics)
    assert flipped.checkpoint == tiny
