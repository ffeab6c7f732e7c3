"""The parts of the automatic mask generator, and what its parity test leaves out."""

from typing import Any

import numpy as np
import pytest
import torch

import dpt_core
from dpt_core import MaskRules, SamModel
from dpt_core.sam.automatic import stability_scores
from dpt_core.sam.boxes import masks_to_boxes, near_crop_edge, non_maximum_suppression
from dpt_core.sam.connected_components import (
    fill_small_holes,
    label_components,
    remove_small_components,
)
from dpt_core.sam.crops import crop_boxes, point_grid
from tests.builders import tiny_sam, tiny_sam_image, write_checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SamModel:
    path = tmp_path_factory.mktemp("sam") / "sam.safetensors"
    return dpt_core.load_sam(write_checkpoint(path, tiny_sam()))


def flood(mask: np.ndarray, steps: list[tuple[int, int]]) -> list[set[tuple[int, int]]]:
    """Connected components, one pixel at a time."""
    todo = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}
    components = []
    while todo:
        component, front = set(), [min(todo)]
        todo.discard(front[0])
        while front:
            y, x = front.pop()
            component.add((y, x))
            near = {(y + dy, x + dx) for dy, dx in steps} & todo
            todo -= near
            front += near
        components.append(component)
    return components


SIDES = [(0, 1), (0, -1), (1, 0), (-1, 0)]
CORNERS = [(1, 1), (1, -1), (-1, 1), (-1, -1)]


@pytest.mark.parametrize("diagonal", [False, True])
def test_connected_components_are_those_of_a_flood_fill(diagonal: bool) -> None:
    generator = np.random.default_rng(0)
    for share in (0.1, 0.4, 0.6, 0.9):
        for shape in ((1, 30), (30, 1), (17, 23)):
            mask = generator.random(shape) < share
            labels, count = label_components(mask, diagonal)
            expected = flood(mask, SIDES + CORNERS * diagonal)
            assert count == len(expected)
            for number, component in enumerate(expected, start=1):
                assert {(y, x) for y, x in np.argwhere(labels == number).tolist()} == component
            assert ((labels > 0) == mask).all()


def test_connected_components_follow_spirals() -> None:
    spiral = np.zeros((31, 31), dtype=bool)
    for ring in range(0, 15, 2):
        spiral[ring, ring : 31 - ring] = spiral[ring : 31 - ring, 30 - ring] = True
        spiral[30 - ring, ring : 31 - ring] = spiral[ring + 2 : 31 - ring, ring] = True
        spiral[ring + 2, ring + 1] = True  # into the next ring
    assert label_components(spiral, diagonal=False)[1] == 1


def test_small_holes_are_filled_and_small_components_removed() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[2:12, 2:12] = True
    mask[4, 4] = mask[7:10, 7:10] = False  # a hole of 1 and one of 9
    mask[15, 15:17] = True  # a part of 2
    filled, changed = fill_small_holes(mask, 5)
    assert changed
    assert filled[4, 4]
    assert not filled[8, 8]
    cleaned, changed = remove_small_components(filled, 5)
    assert changed
    assert not cleaned[15, 15]
    assert cleaned.sum() == 91
    assert not fill_small_holes(cleaned, 5)[1]
    assert not remove_small_components(cleaned, 5)[1]
    largest, _ = remove_small_components(mask, 1000)
    assert largest[2, 2]
    assert not largest[15, 15]
    empty = np.zeros((3, 3), dtype=bool)
    assert not remove_small_components(empty, 5)[0].any()


def test_boxes_of_masks() -> None:
    masks = torch.zeros(3, 10, 12, dtype=torch.bool)
    masks[0, 2:5, 3:9] = True
    masks[1, 9, 11] = masks[1, 0, 4] = True
    assert masks_to_boxes(masks).tolist() == [[3, 2, 8, 4], [4, 0, 11, 9], [0, 0, 0, 0]]
    assert masks_to_boxes(masks[:0]).shape == (0, 4)


def test_non_maximum_suppression_keeps_the_best_of_overlapping_boxes() -> None:
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 8], [20, 0, 30, 10], [0, 0, 10, 4]])
    scores = torch.tensor([0.5, 0.9, 0.7, 0.1])
    assert non_maximum_suppression(boxes, scores, 0.7).tolist() == [1, 2, 3]
    assert non_maximum_suppression(boxes, scores, 0.45).tolist() == [1, 2]
    assert non_maximum_suppression(boxes, scores, 0.8).tolist() == [
        1,
        2,
        0,
        3,
    ]  # 0.8 is not above 0.8
    assert non_maximum_suppression(boxes, torch.ones(4), 0.7).tolist() == [
        0,
        2,
        3,
    ]  # the first of equals
    assert non_maximum_suppression(boxes[:0], scores[:0], 0.7).tolist() == []


def test_crops_cover_the_image_and_overlap() -> None:
    rules = MaskRules(crop_n_layers=2)
    crops = crop_boxes((100, 150), rules)
    assert crops[0] == ((0, 0, 150, 100), 0)
    assert [layer for _, layer in crops] == [0] + 4 * [1] + 16 * [2]
    for layer in (1, 2):
        covered = np.zeros((100, 150), dtype=int)
        for (x0, y0, x1, y1), of in crops:
            if of == layer:
                covered[y0:y1, x0:x1] += 1
        assert covered.min() >= 1
        assert covered.max() >= 4
    for crop, _ in crop_boxes((1, 2), rules):  # none is empty
        assert crop[2] > crop[0]
        assert crop[3] > crop[1]


def test_boxes_cut_off_by_a_crop_are_found() -> None:
    crop, size = (50, 0, 150, 100), (200, 300)
    boxes = torch.tensor([[30, 30, 60, 60], [5, 30, 60, 60], [30, 2, 60, 60], [30, 30, 60, 95]])
    assert near_crop_edge(boxes, crop, size).tolist() == [False, True, False, True]


def test_points_are_in_the_middle_of_equal_squares() -> None:
    expected = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    assert point_grid(2).tolist() == expected


def test_stability_is_the_share_that_stays() -> None:
    logits = torch.tensor([[[2.0, 0.5, -0.5, -2.0]], [[2.0, 2.0, -2.0, -2.0]]])
    assert stability_scores(logits, 1.0).tolist() == [pytest.approx(1 / 3), 1.0]


def test_each_image_has_its_masks_and_progress_counts_on(
    model: SamModel,
) -> None:
    images = tiny_sam_image()
    batch = torch.cat([images, torch.zeros_like(images)])
    seen = []
    rules = MaskRules(points_per_side=4, points_per_batch=7, pred_iou_thresh=0.5)
    results = model.generate(batch, rules, lambda *counts: seen.append(counts))
    assert seen == [(i, 6) for i in range(1, 7)]
    (alone,) = model.generate(images, rules)
    assert torch.equal(results[0].masks, alone.masks)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.generate(images, rules, stop)


def test_none_found_is_empty_masks_of_the_right_shape(model: SamModel) -> None:
    rules = MaskRules(points_per_side=2, pred_iou_thresh=5.0, crop_n_layers=1)
    rules_with_area = MaskRules(points_per_side=2, pred_iou_thresh=5.0, min_mask_region_area=9)
    for some in (rules, rules_with_area):
        (result,) = model.generate(torch.rand(1, 3, 50, 70), some)
        assert result.masks.shape == (0, 50, 70)
        assert result.masks.dtype == torch.bool
        assert result.boxes.shape == result.crops.shape == (0, 4)
        assert result.iou.shape == result.stability.shape == (0,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("points_per_side", 0),
        ("points_per_batch", 0),
        ("crop_n_points_downscale_factor", 0),
        ("crop_n_layers", -1),
        ("crop_overlap_ratio", 1.0),
    ],
)
def test_impossible_settings_are_refused(name: str, value: float) -> None:
    wrong: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        MaskRules(**wrong)
