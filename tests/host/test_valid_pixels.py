"""Which pixels of a depth count: the same ones in every node."""

from typing import Any

import pytest
import torch

RENDER = {
    "style": "ControlNet: near = white",
    "range": {"range": "each image"},
    "size": {"size": "as estimated"},
    "colormap": "grey",
    "invert": False,
    "gamma": 1.0,
    "near": 0.0,
    "far": 0.0,
}
EVERYTHING = {"unit": "percentile", "near": 0.0, "far": 100.0, "soft": 0.0}
GEOMETRY = {
    "camera": {"camera": "field of view", "degrees": 60.0},
    "near": 1.0,
    "far": 9.0,
    "normals": "controlnet",
}


def make_depth(host: Any, kind: str) -> tuple[Any, torch.Tensor]:
    """Two frames with sky, pixels marked invalid, and for z some at 0; and which pixels count."""
    values = torch.rand(2, 12, 16, generator=torch.Generator().manual_seed(0)) + 1
    counts = torch.ones_like(values, dtype=torch.bool)
    sky = torch.zeros_like(values)
    sky[:, :3] = 0.3  # the least that is sky
    sky[:, 3] = 0.29
    counts[:, :3] = False
    marked = torch.ones_like(counts)
    marked[1, :, :5] = False
    counts[1, :, :5] = False
    if kind != "inverse":
        values[0, 8, 8:] = 0.0
        counts[0, 8, 8:] = False
    return host.pack.dpt_core.Depth(values, kind, sky=sky, valid=marked), counts


@pytest.mark.parametrize("kind", ["inverse", "depth", "metres"])
def test_every_node_counts_the_same_pixels(host, kind):
    depth, counts = make_depth(host, kind)
    (mask,) = host.run("DPTDepthMask", depth=depth, unit=EVERYTHING).result
    picture, _, valid = host.run("DPTRenderDepth", depth=depth, **RENDER).result
    geometry, _ = host.run("DPTDepthToGeometry", depth=depth, **GEOMETRY).result
    assert torch.equal(mask.bool(), counts)
    assert torch.equal(valid.bool(), counts)
    assert torch.equal(geometry["mask"], counts)
    assert (picture[~counts] == 0).all()  # the farthest
    assert torch.isinf(geometry["points"][~counts]).all()


def test_what_does_not_count_does_not_stretch_the_picture(host):
    depth, counts = make_depth(host, "inverse")
    outlier = depth._replace(values=torch.where(counts, depth.values, -1e4))
    for number, frame in enumerate(host.run("DPTRenderDepth", depth=outlier, **RENDER).result[1]):
        assert frame[counts[number]].min() == 0
        assert frame.max() == 1


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0])
def test_pixels_of_the_sky_may_hold_anything(host, number):
    depth, counts = make_depth(host, "inverse")
    depth = depth._replace(kind="metres")
    clean = torch.where(counts, depth.values, 1.0)
    broken = torch.where(counts, depth.values, number)
    unit = {"unit": "metres", "near": 0.0, "far": 1.5, "soft": 0.2}
    for node, inputs in (
        ("DPTDepthMask", {"unit": unit}),
        ("DPTRenderDepth", RENDER),
        ("DPTDepthToGeometry", GEOMETRY),
    ):
        first, second = (
            host.run(node, depth=depth._replace(values=values), **inputs).result[0]
            for values in (clean, broken)
        )
        if isinstance(first, dict):
            first, second = first["points"], second["points"]
        assert torch.equal(first, second), node
