"""Estimate Depth with Detail, in this process."""

import torch

import dpt_core
from dpt_core.depth.detail import Detail, infer_detail
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
    expected = infer_detail(
        lambda part: library.infer(part, 56),
        image[..., :3].movedim(-1, 1),
        Detail(2, 0.25, flip=True, circular="horizontal"),
        mask,
    )
    scale = expected.values.std()
    torch.testing.assert_close(depth.values / scale, expected.values / scale, rtol=0, atol=1e-3)
    assert depth.checkpoint == tiny
    assert picture.shape == (1, 70, 90, 3)
    assert torch.equal(picture[..., 0], control_image(dpt_core.Depth(*depth)))


def test_one_tile_is_estimate_depth(host, load, tiny):
    model = load(tiny).result[0]
    inputs = {"model": model, "image": photograph()}
    detail = host.run("DPTEstimateDetail", **inputs, **{**DEFAULTS, "tiles": 1}).result[0]
    plain = host.run("DPTEstimateDepth", **inputs, resolution=56, batch_size=0).result[0]
    assert torch.equal(detail.values, plain.values)
