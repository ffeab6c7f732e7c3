"""From raw depth to a control image: near is white, and each image has its own range."""

import torch

from dpt_core import Depth
from dpt_core.render import control_image, normalise


def test_near_is_white_for_every_kind() -> None:
    # The same scene by three kinds of models: 1, 2, 4 metres away.
    metres = torch.tensor([[[1.0, 2.0, 4.0]]])
    expected = torch.tensor([[[1.0, 1 / 3, 0.0]]])
    for depth in (
        Depth(metres, "metres"),
        Depth(metres * 7, "depth"),
        Depth(5 / metres + 3, "inverse"),
    ):
        torch.testing.assert_close(control_image(depth), expected)


def test_each_image_has_its_own_range_and_a_flat_one_is_black() -> None:
    values = torch.stack(
        [torch.tensor([[0.0, 5.0]]), torch.tensor([[-2.0, 2.0]]), torch.ones(1, 2)]
    )
    before = values.clone()
    assert normalise(values).tolist() == [[[0, 1]], [[0, 1]], [[0, 0]]]
    assert torch.equal(values, before)
