"""Segment Everything."""

from typing import Any

import pytest
import torch

import dpt_core
from dpt_core.sam.crops import MaskRules


def test_everything_is_what_the_library_finds(sam_file, discs, everything):
    batch = torch.cat([discs.picture(), discs.picture(6)])
    masks, iou, preview = everything(batch)
    rules = MaskRules(points_per_side=6, pred_iou_thresh=0.5, stability_score_thresh=0.5)
    wanted = dpt_core.load_sam(sam_file).generate(batch.movedim(-1, 1), rules)
    assert all(len(found.masks) for found in wanted)
    assert torch.equal(masks.bool(), torch.cat([found.masks for found in wanted]))
    assert iou == pytest.approx(torch.cat([found.iou for found in wanted]).tolist())
    assert preview.shape == (2, *discs.size, 3)


def test_nothing_found_is_an_empty_mask(discs, everything):
    masks, iou, _ = everything(torch.zeros(2, *discs.size, 3), pred_iou_thresh=1.0)
    assert masks.shape == (2, *discs.size)
    assert not masks.any()
    assert iou == [0.0, 0.0]


def test_everything_can_be_cancelled_after_a_batch_of_points(host, discs, everything):
    seen: list[int] = []

    def cancel(done: int, *_: Any, **__: Any) -> None:
        seen.append(done)
        host.management.interrupt_current_processing(True)

    before = host.utils.PROGRESS_BAR_HOOK
    host.utils.set_progress_bar_global_hook(cancel)
    try:
        with pytest.raises(host.management.InterruptProcessingException):
            everything(torch.cat([discs.picture()] * 2), points_per_batch=6)
    finally:
        host.utils.set_progress_bar_global_hook(before)
    assert len(seen) == 1
