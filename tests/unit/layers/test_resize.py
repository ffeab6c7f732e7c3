"""Bands of rows of a resized map are those of the whole map."""

import pytest
import torch

from dpt_core.layers.resize import ResizedRows, resize_map

SIZES = [((30, 40), (53, 71)), ((20, 21), (20, 37)), ((1, 5), (7, 9)), ((9, 9), (9, 9))]


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("small", "size"), SIZES)
def test_rows_of_a_resized_map(
    small: tuple[int, int], size: tuple[int, int], order: torch.memory_format
) -> None:
    x = torch.randn(2, 8, *small).contiguous(memory_format=order)
    tops = range(0, size[0], 4)
    bands = [ResizedRows(small[0], size[0], top, min(top + 4, size[0])) for top in tops]
    rows = [band.resize(x[:, :, band.first : band.last + 1], size[1]) for band in bands]
    torch.testing.assert_close(torch.cat(rows, dim=2), resize_map(x, size), atol=1e-6, rtol=0)
