"""Relative position biases: the right value for every pair, and no more kept than is of use."""

from functools import partial

import pytest
import torch
from torch import Tensor

from dpt_core.layers.relative_bias import BiasCache, RelativeBias, by_offset

GRIDS = [(1, 1), (3, 3), (2, 5), (4, 3)]


@pytest.mark.parametrize("grid", GRIDS)
def test_every_pair_has_the_value_of_its_offset(grid: tuple[int, int]) -> None:
    rows, columns = grid
    offsets = torch.randn(2, 2 * rows - 1, 2 * columns - 1)
    bias = by_offset(offsets, grid).view(2, rows, columns, rows, columns)
    for i in range(rows):
        for j in range(columns):
            for k in range(rows):
                for m in range(columns):
                    expected = offsets[:, i - k + rows - 1, j - m + columns - 1]
                    assert torch.equal(bias[:, i, j, k, m], expected)


@pytest.mark.parametrize("grid", GRIDS)
def test_the_cls_token_has_values_of_its_own(grid: tuple[int, int]) -> None:
    table = RelativeBias(heads=2, grid=grid)
    with torch.no_grad():
        table.table.normal_()
        offsets = table.offsets(grid, torch.empty(0))
        bias = table.spread(grid, offsets)
    to_token, from_token, itself = table.table[-3:].detach()
    assert (bias[:, 0, 1:] == to_token[:, None]).all()
    assert (bias[:, 1:, 0] == from_token[:, None]).all()
    assert torch.equal(bias[:, 0, 0], itself)
    assert torch.equal(bias[:, 1:, 1:], by_offset(offsets, grid))


class TestCache:
    def get(self, cache: BiasCache, made: list[Tensor], device: str, size: int = 4) -> Tensor:
        def offsets() -> Tensor:
            made.append(torch.ones(1, 2 * size - 1, 2 * size - 1, device=device))
            return made[-1]

        return cache.get("block", size, offsets, partial(by_offset, grid=(size, size)))

    def test_a_cpu_keeps_the_values_by_offset_alone(self) -> None:
        cache, made = BiasCache(), []
        first, second = (self.get(cache, made, "cpu") for _ in range(2))
        assert len(made) == 1
        assert cache.bytes == made[0].nbytes
        assert torch.equal(first, second)

    def test_other_devices_keep_the_bias(self) -> None:
        cache, made = BiasCache(), []
        first, second = (self.get(cache, made, "meta") for _ in range(2))
        assert first is second
        assert cache.bytes == first.nbytes

    def test_what_does_not_fit_is_made_anew(self) -> None:
        cache, made = BiasCache(limit=100), []
        first, second = (self.get(cache, made, "meta") for _ in range(2))
        assert first is not second
        assert cache.bytes == 0

    def test_another_size_drops_all(self) -> None:
        cache, made = BiasCache(), []
        self.get(cache, made, "meta", 4)
        small = self.get(cache, made, "meta", 2)
        assert cache.bytes == small.nbytes

    def test_a_setting_that_comes_meanwhile_gets_its_own(self) -> None:
        cache = BiasCache()

        def while_another_runs() -> Tensor:
            self.get(cache, [], "meta", 2)
            return torch.ones(1, 7, 7, device="meta")

        spread = partial(by_offset, grid=(4, 4))
        cache.get("block", 4, while_another_runs, spread)
        assert self.get(cache, [], "meta", 2).shape == (1, 4, 4)
        assert self.get(cache, [], "meta", 4).shape == (1, 16, 16)
