"""Relative position biases: the right value for every pair, and what the cache keeps."""

import pickle
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dpt_core import DepthModel, load
from dpt_core.checkpoint.family import Family
from dpt_core.depth.families import FAMILIES
from dpt_core.layers.relative_bias import BiasCache, RelativeBias, expand_offsets
from tests.builders import tiny_checkpoint, write_checkpoint

OWNER = nn.Identity()  # a module whose bias it is

GRIDS = [(1, 1), (3, 3), (2, 5), (4, 3)]


@pytest.mark.parametrize("grid", GRIDS)
def test_every_pair_has_the_value_of_its_offset(grid: tuple[int, int]) -> None:
    rows, columns = grid
    offsets = torch.randn(2, 2 * rows - 1, 2 * columns - 1)
    bias = expand_offsets(offsets, grid).view(2, rows, columns, rows, columns)
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
        bias = table.expand(grid, offsets)
    to_token, from_token, itself = table.table[-3:].detach()
    assert (bias[:, 0, 1:] == to_token[:, None]).all()
    assert (bias[:, 1:, 0] == from_token[:, None]).all()
    assert torch.equal(bias[:, 0, 0], itself)
    assert torch.equal(bias[:, 1:, 1:], expand_offsets(offsets, grid))


class TestCache:
    def get(
        self, cache: BiasCache, made: list[Tensor], device: str, size: int = 4, of: Any = OWNER
    ) -> Tensor:
        def offsets() -> Tensor:
            made.append(torch.ones(1, 2 * size - 1, 2 * size - 1, device=device))
            return made[-1]

        return cache.get(of, size, offsets, partial(expand_offsets, grid=(size, size)))

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

    def test_a_bias_above_the_limit_is_not_kept(self) -> None:
        cache, made = BiasCache(limit=100), []
        first, second = (self.get(cache, made, "meta") for _ in range(2))
        assert first is not second
        assert cache.bytes == 0

    def test_another_size_replaces_the_bias(self) -> None:
        cache, made = BiasCache(), []
        self.get(cache, made, "meta", 4)
        small = self.get(cache, made, "meta", 2)
        assert cache.bytes == small.nbytes
        assert self.get(cache, made, "meta", 4).shape == (1, 16, 16)

    def test_a_module_takes_its_bias_with_it(self) -> None:
        cache, owner = BiasCache(), nn.Identity()
        self.get(cache, [], "meta", of=owner)
        assert cache.bytes
        del owner
        assert cache.bytes == 0

    def test_another_size_during_the_computation_gets_its_own_bias(self) -> None:
        cache = BiasCache()

        def while_another_runs() -> Tensor:
            self.get(cache, [], "meta", 2)
            return torch.ones(1, 7, 7, device="meta")

        expand = partial(expand_offsets, grid=(4, 4))
        cache.get(OWNER, 4, while_another_runs, expand)
        assert self.get(cache, [], "meta", 2).shape == (1, 4, 4)
        assert self.get(cache, [], "meta", 4).shape == (1, 16, 16)


RELATIVE = [f for f in FAMILIES if "BEiT" in f.name or "Swin" in f.name]


@pytest.mark.parametrize("family", RELATIVE, ids=lambda family: f"{family.name}-{family.layout}")
class TestUsedModels:
    """A network that has run gives what a fresh one of the same weights gives."""

    def load(self, family: Family, folder: Path) -> tuple[DepthModel, Tensor]:
        path = write_checkpoint(folder / "model.safetensors", tiny_checkpoint(family))
        model = load(path)
        side = model.config.image.side
        return model, torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1))

    def test_after_other_weights_are_loaded_into_it(self, family: Family, tmp_path: Path) -> None:
        used, images = self.load(family, tmp_path)
        fresh, _ = self.load(family, tmp_path)
        weights = {name: 1.5 * weight for name, weight in used.net.state_dict().items()}
        with torch.no_grad():
            before = used.net(images)
            used.net.load_state_dict(weights)
            fresh.net.load_state_dict(weights)
            assert torch.equal(used.net(images), fresh.net(images))
        assert not torch.equal(before, used.net(images))

    def test_after_it_was_pickled(self, family: Family, tmp_path: Path) -> None:
        used, images = self.load(family, tmp_path)
        with torch.no_grad():
            expected = used.net(images)
            other, _ = self.load(family, tmp_path)
            other.net.load_state_dict({n: 2 * w for n, w in other.net.state_dict().items()})
            other.net(images)
            copy = pickle.loads(pickle.dumps(used.net))
            assert torch.equal(copy(images), expected)

    def test_it_can_be_trained(self, family: Family, tmp_path: Path) -> None:
        used, images = self.load(family, tmp_path)
        with torch.no_grad():
            used.net(images)
        used.net.requires_grad_(True)
        for _ in range(2):  # a graph must not reach into the step before
            used.net.zero_grad()
            used.net(images).mean().backward()
        tables = [
            weight
            for name, weight in used.net.named_parameters()
            if "relative_bias" in name or "bias_table" in name or "bias_mlp" in name
        ]
        assert tables
        assert all(table.grad is not None and table.grad.abs().max() > 0 for table in tables)
