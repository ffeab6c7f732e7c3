"""What counts as a batch of images, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch

from dpt_core.images import check_images


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), TypeError, "uint8.*Divide 8-bit values"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.int64), TypeError, "int64"),
        (np.zeros((1, 3, 4, 4)), TypeError, "ndarray"),
        (torch.zeros(1, 4, 8, 8), ValueError, "1×4×8×8.*RGB"),  # alpha
        (torch.zeros(1, 1, 8, 8), ValueError, "1×1×8×8"),
        (torch.zeros(3, 8, 8), ValueError, "3×8×8"),
        (torch.zeros(2, 8, 8, 3), ValueError, "channels before rows"),
        (torch.zeros(1, 3, 0, 8), ValueError, "at least one pixel"),
    ],
)
def test_other_tensors_are_refused(wrong: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_images(wrong)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_broken_frame_is_named_by_its_number(value: float) -> None:
    batch = torch.rand(4, 3, 8, 8)
    batch[2, 1, 3, 5] = value
    with pytest.raises(ValueError, match=r"Image 2 .*counted from 0"):
        check_images(batch)
    check_images(batch[:2])
