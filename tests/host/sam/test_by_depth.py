"""Depth Mask and Segment by Depth."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import dpt_core

DEPTH_MASK, BY_DEPTH = "DPTDepthMask", "DPTSegmentByDepth"


def test_depth_mask_in_metres_and_percentiles(host, discs):
    metres = {"unit": "metres", "near": 0.0, "far": 4.0, "soft": 0.0}
    (mask,) = host.run(DEPTH_MASK, depth=discs.depth("metres"), unit=metres).result
    assert mask.shape == (1, *discs.size)
    assert torch.equal(mask[0].bool(), discs.mask(discs.red) | discs.mask(discs.blue))
    soft = {"unit": "metres", "near": 0.0, "far": 2.0, "soft": 4.0}
    (mask,) = host.run(DEPTH_MASK, depth=discs.depth("metres"), unit=soft).result
    assert mask[0, discs.blue[1], discs.blue[0]] == pytest.approx(0.5)
    share = {"unit": "percentile", "near": 0.0, "far": 10.0, "soft": 0.0}
    (mask,) = host.run(DEPTH_MASK, depth=discs.depth(), unit=share).result
    assert torch.equal(mask[0].bool(), discs.mask(discs.red))


@pytest.mark.parametrize(
    ("unit", "sentence"),
    [
        ({"unit": "metres", "near": 0.0, "far": 1.0, "soft": 0.0}, "inverse and has no metres"),
        ({"unit": "percentile", "near": 9.0, "far": 1.0, "soft": 0.0}, "near is 9, far 1"),
        ({"unit": "percentile", "near": 0.0, "far": 1.0}, r"unit\.soft is missing"),
    ],
)
def test_a_range_that_cannot_be_used_is_one_sentence(host, discs, unit, sentence):
    with pytest.raises(ValueError, match=sentence):
        host.run(DEPTH_MASK, depth=discs.depth(), unit=unit)


@pytest.fixture
def by_depth(host: Any, managed: Any, discs: Any) -> Callable[..., Any]:
    """A function that runs Segment by Depth: (find, **other inputs) → its results."""

    def run(find: str, **inputs: Any) -> Any:
        defaults = {"image": discs.picture(), "depth": discs.depth(), "layers": 3}
        inputs = {**defaults, "least_area": 0.005, **inputs}
        return host.run(BY_DEPTH, sam=managed, find=find, **inputs).result

    return run


def test_objects_by_depth_are_prompted_nearest_first(managed, monkeypatch, discs, by_depth):
    asked: list[Any] = []
    original = type(managed.model).predict

    def spy(self: Any, embedding: Any, **prompts: Any) -> Any:
        asked.append(prompts)
        return original(self, embedding, **prompts)

    monkeypatch.setattr(type(managed.model), "predict", spy)
    masks, iou, preview = by_depth("nearest object")
    assert masks.shape == (1, *discs.size)
    assert len(iou) == 1
    assert preview.shape == (1, *discs.size, 3)
    x, y, radius = discs.red
    box = torch.tensor([[x - radius, y - radius, x + radius, y + radius]])
    torch.testing.assert_close(asked[0]["boxes"], box.double(), atol=2, rtol=0)
    assert discs.mask(discs.red)[int(asked[0]["points"][0, 0, 1]), int(asked[0]["points"][0, 0, 0])]
    everything, qualities, _ = by_depth("all objects")
    assert len(everything) == len(qualities) >= 3
    torch.testing.assert_close(everything[0], masks[0])


def test_one_mask_a_layer_whatever_is_found(discs, by_depth):
    batch = torch.cat([discs.picture(), discs.picture()])
    flat = torch.ones(1, *discs.size)
    depth = dpt_core.Depth(torch.cat([discs.depth().values, flat]), "inverse")
    masks, iou, _ = by_depth("one mask a layer", image=batch, depth=depth)
    assert masks.shape == (6, *discs.size)
    assert len(iou) == 6
    nearest, _, _ = by_depth("nearest object")
    assert torch.equal(masks[0], nearest[0])
    assert not masks[3:].any()
    masks, iou, _ = by_depth("all objects", depth=dpt_core.Depth(flat, "inverse"))
    assert masks.shape == (1, *discs.size)
    assert not masks.any()
    assert iou == [0.0]


def test_depth_of_another_image_is_refused(discs, by_depth):
    with pytest.raises(ValueError, match=r"depth is 1×96×128 and the image 2×96×128"):
        by_depth("all objects", image=torch.cat([discs.picture()] * 2))
