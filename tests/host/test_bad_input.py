"""Input that cannot be used gets one clear sentence, from every node that can be given it."""

from typing import Any

import pytest
import torch
from torch import Tensor

SIZE = (20, 30)
NAN = float("nan")

ALIGN = {"to": {"to": "points", "points": "3, 4, 2.5\n20, 15, 7"}}
TO_OTHER = {"to": {"to": "other depth", "robust": True}}
TO_MASK = {"to": {"to": "masked surface", "metres": 2.0}}
DETAIL = {"tiles": 1, "flip_average": False, "circular": "off", "resolution": 28, "overlap": 0.25}
ESTIMATE = {"resolution": 28, "batch_size": 0}
GEOMETRY = {"camera": {"camera": "field of view", "degrees": 55.0}, "normals": "controlnet"}
GEOMETRY |= {"near": 1.0, "far": 9.0}
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


def values(count: int = 2) -> Tensor:
    return 1 + torch.rand(count, *SIZE, generator=torch.Generator().manual_seed(0)).sort().values


def mask(count: int = 2, height: int = SIZE[0], width: int = SIZE[1]) -> Tensor:
    return torch.ones(count, height, width)


def photographs(count: int = 2) -> Tensor:
    return torch.rand(count, *SIZE, 3, generator=torch.Generator().manual_seed(0))


def percentiles(near: float, far: float) -> dict[str, Any]:
    return {"unit": {"unit": "percentile", "near": near, "far": far, "soft": 0.0}}


def metres(near: float, far: float) -> dict[str, Any]:
    return {"unit": {"unit": "metres", "near": near, "far": far, "soft": 0.0}}


def camera(**choice: Any) -> dict[str, Any]:
    return {**GEOMETRY, "camera": choice}


@pytest.fixture
def refuse(host: Any) -> Any:
    """A function: the node must raise a ValueError of one or a few sentences with this in it."""

    def check(sentence: str, node: str, **inputs: Any) -> None:
        with pytest.raises(ValueError, match=sentence) as caught:
            host.run(node, **inputs)
        text = str(caught.value)
        assert text.endswith(".")
        assert len(text) < 320
        assert "Tensor" not in text

    return check


@pytest.fixture
def depth(host: Any) -> Any:
    """A function: (values, kind) → raw depth."""
    return lambda found=None, kind="inverse": host.pack.dpt_core.Depth(
        values() if found is None else found, kind
    )


@pytest.mark.parametrize(
    ("sentence", "node", "inputs"),
    [
        ("Give near and far in metres", "DPTRenderDepth", {**RENDER, "style": "metres"}),
        (
            "Give near and far in metres",
            "DPTRenderDepth",
            {**RENDER, "style": "true depth: far = white"},
        ),
        ("has no distances. Give near and far", "DPTDepthToGeometry", {**GEOMETRY, "near": 0.0}),
        ("inverse and has no metres", "DPTDepthMask", metres(0.0, 3.0)),
    ],
)
def test_what_needs_metres_with_a_relative_model(refuse, depth, sentence, node, inputs):
    refuse(sentence, node, depth=depth(), **inputs)


def test_what_needs_a_relative_model_with_metres(refuse, depth):
    inputs = {**RENDER, "style": "FLUX.1-Depth: raw"}
    refuse("This depth is in metres", "DPTRenderDepth", depth=depth(kind="metres"), **inputs)


@pytest.mark.parametrize(("near", "far"), [(5.0, 5.0), (9.0, 2.0)])
def test_near_not_below_far(refuse, depth, near, far):
    sentence = f"near is {near:g} and far is {far:g}; .* near below far"
    ends = {"near": near, "far": far}
    for style in ("metres", "true depth: far = white"):
        refuse(sentence, "DPTRenderDepth", depth=depth(), **{**RENDER, **ends, "style": style})
    refuse(sentence, "DPTDepthToGeometry", depth=depth(), **{**GEOMETRY, **ends})
    fixed = {**RENDER, "range": {"range": "fixed", "low": near, "high": far}}
    refuse(sentence, "DPTRenderDepth", depth=depth(kind="metres"), **fixed)
    refuse("the low end must be below the high end", "DPTRenderDepth", depth=depth(), **fixed)
    span = {"range": "percentiles", "of": "each image", "low": near * 10, "high": far * 10}
    refuse(
        "the low one below the high one",
        "DPTRenderDepth",
        depth=depth(),
        **{**RENDER, "range": span},
    )


def test_near_beyond_far_in_a_mask(refuse, depth):
    refuse("near must not be above far", "DPTDepthMask", depth=depth(), **percentiles(9.0, 2.0))
    metric = depth(kind="metres")
    refuse("near must not be above far", "DPTDepthMask", depth=metric, **metres(9.0, 2.0))


def test_depth_that_is_the_same_everywhere(refuse, depth):
    even = depth(torch.full((2, *SIZE), 3.0))
    for span in (
        {"range": "each image"},
        {"range": "whole batch"},
        {"range": "steady video", "window": 3},
    ):
        refuse("same everywhere", "DPTRenderDepth", depth=even, **{**RENDER, "range": span})
    refuse("same everywhere", "DPTDepthToGeometry", depth=even, **GEOMETRY)
    refuse("two values that differ", "DPTAlignDepth", depth=even, other=depth(), **TO_OTHER)
    refuse("two values that differ", "DPTAlignDepth", depth=even, **ALIGN)


def test_depth_that_is_no_number(refuse, depth):
    broken = values()
    broken[1, 3, 4] = NAN
    refuse("image 1 .* NaN or infinite", "DPTRenderDepth", depth=depth(broken), **RENDER)
    refuse(
        "no valid depth at the point",
        "DPTAlignDepth",
        depth=depth(broken.flip(0).transpose(1, 2)),
        **ALIGN,
    )
    nothing = depth(torch.full((2, *SIZE), NAN))
    refuse("image 0 .* NaN or infinite", "DPTRenderDepth", depth=nothing, **RENDER)
    refuse("depth has no valid pixel", "DPTDepthToGeometry", depth=nothing, **GEOMETRY)
    refuse("no valid depth under the mask", "DPTAlignDepth", depth=nothing, mask=mask(), **TO_MASK)
    refuse("A plane needs three pixels", "DPTRemovePlane", depth=nothing)


def test_batches_that_do_not_match(refuse, host, load, tiny, depth):
    model = load(tiny).result[0]
    many = depth(values(3))
    refuse("The reference is 3×20×30", "DPTAlignDepth", depth=depth(), other=many, **TO_OTHER)
    refuse("The mask is 3×20×30", "DPTAlignDepth", depth=depth(), mask=mask(3), **TO_MASK)
    refuse("The mask is 3×20×30", "DPTRemovePlane", depth=depth(), mask=mask(3))
    refuse(
        "The image is 3×20×30",
        "DPTDepthToGeometry",
        depth=depth(),
        image=photographs(3),
        **GEOMETRY,
    )
    inputs = {"model": model, "image": photographs(), **DETAIL}
    refuse("The mask is 3×20×30", "DPTEstimateDetail", mask=mask(3), **inputs)
    inputs = {"sam": None, "find": "all objects", "layers": 3, "least_area": 0.005}
    refuse("The depth is 3×20×30", "DPTSegmentByDepth", depth=many, image=photographs(), **inputs)


def test_a_mask_of_other_frames(refuse, load, tiny, depth):
    three = mask(3, 10, 15)
    sentence = r"The mask is 3×20×30 .* and the depth 2×20×30; .* one frame or as many"
    refuse(sentence, "DPTAlignDepth", depth=depth(), mask=three, **TO_MASK)
    refuse(sentence, "DPTAlignDepth", depth=depth(), other=depth(), mask=three, **TO_OTHER)
    refuse(sentence, "DPTRemovePlane", depth=depth(), mask=three)
    model = load(tiny).result[0]
    refuse(sentence, "DPTEstimateDetail", model=model, image=photographs(), mask=three, **DETAIL)


def test_no_frames(refuse, load, tiny, depth):
    model = load(tiny).result[0]
    none = photographs(0)
    refuse("no images", "DPTEstimateDepth", model=model, image=none, **ESTIMATE)
    refuse("no images", "DPTEstimateDetail", model=model, image=none, **DETAIL)
    inputs = {"checkpoint": tiny, "resolution": 0, "model_resolution": 28}
    refuse("no images", "DPTDepthMap", image=none, **inputs)
    empty = depth(values(0))
    refuse("at least one frame was", "DPTRenderDepth", depth=empty, **RENDER)
    refuse("at least one frame was", "DPTDepthToGeometry", depth=empty, **GEOMETRY)
    refuse("at least one frame was", "DPTAlignDepth", depth=empty, **ALIGN)
    refuse("at least one frame was", "DPTAlignDepth", depth=empty, mask=mask(1), **TO_MASK)
    refuse("at least one frame was", "DPTAlignDepth", depth=empty, other=depth(), **TO_OTHER)
    refuse("at least one frame was", "DPTRemovePlane", depth=empty)
    refuse("at least one frame was", "DPTDepthMask", depth=empty, **percentiles(0.0, 30.0))


@pytest.mark.parametrize("angle", [180.0, 200.0, -5.0, NAN])
def test_a_field_of_view_that_no_camera_has(refuse, load, tiny, depth, angle, monkeypatch):
    model = load(tiny).result[0]
    monkeypatch.setattr(type(model.model), "infer", lambda *_, **__: pytest.fail("it went on"))
    sentence = "The field of view is .* degrees; it must be more than 0 and less than 180"
    inputs = {"model": model, "image": photographs(), "fov": angle}
    refuse(sentence, "DPTEstimateDepth", **inputs, **ESTIMATE)
    refuse(sentence, "DPTEstimateDetail", **inputs, **DETAIL)
    refuse(
        sentence,
        "DPTDepthToGeometry",
        depth=depth(),
        **camera(camera="field of view", degrees=angle),
    )


def test_a_camera_that_cannot_be(refuse, load, tiny, depth):
    zero = camera(camera="field of view", degrees=0.0)
    refuse("The field of view is 0 degrees", "DPTDepthToGeometry", depth=depth(), **zero)
    flat = camera(camera="focal length", millimetres=0.0)
    refuse("The focal length is 0 mm", "DPTDepthToGeometry", depth=depth(), **flat)
    unknown = camera(camera="of the depth")
    refuse("came without a camera", "DPTDepthToGeometry", depth=depth(), **unknown)
    around = {**DETAIL, "circular": "left and right", "fov": 90.0}
    inputs = {"model": load(tiny).result[0], "image": photographs(), **around}
    refuse("A circular image has no field of view", "DPTEstimateDetail", **inputs)


def test_raw_depth_too_large_for_half_precision(refuse, load, tiny, monkeypatch, depth):
    model = load(tiny).result[0]
    large = depth(values(1) * 1e5)
    monkeypatch.setattr(type(model.model), "infer", lambda *_, **__: large)
    inputs = {"model": model, "image": photographs(1), **ESTIMATE, "raw_precision": "float16"}
    refuse("float16 holds 65504 at most. Keep the depth in float32", "DPTEstimateDepth", **inputs)
