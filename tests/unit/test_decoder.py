"""The decoder keeps little: bands of rows give what all rows at once give, and maps are let go."""

import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from dpt_core.depth import decoder
from dpt_core.depth.decoder import Fusion, Projection
from dpt_core.layers.resize import resize_map, resize_rows

SIZES = [((30, 40), (53, 71)), ((20, 21), (20, 37)), ((1, 5), (7, 9)), ((9, 9), (9, 9))]


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("small", "size"), SIZES)
def test_rows_of_a_resized_map(
    small: tuple[int, int], size: tuple[int, int], order: torch.memory_format
) -> None:
    x = torch.randn(2, 8, *small).contiguous(memory_format=order)
    tops = range(0, size[0], 4)
    rows = [resize_rows(x, size, top, min(top + 4, size[0])) for top in tops]
    torch.testing.assert_close(torch.cat(rows, dim=2), resize_map(x, size), atol=1e-6, rtol=0)


def project(layers: Projection, x: Tensor, size: tuple[int, int], rows: int, monkeypatch: Any):
    """The result when so many rows of x's channels fit into a band."""
    band = x.shape[0] * x.shape[1] * size[1] * x.itemsize * rows
    monkeypatch.setattr(decoder, "BAND_BYTES", band)
    with torch.no_grad():
        return layers(x, size)


@pytest.mark.parametrize("rows", [1, 2, 7, 52])
def test_bands_give_what_all_rows_at_once_give(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layers, x, size = Projection(8, 4, nn), torch.randn(2, 8, 30, 40), (53, 71)
    whole = project(layers, x, size, 53, monkeypatch)
    bands = project(layers, x, size, rows, monkeypatch)
    torch.testing.assert_close(bands, whole, atol=1e-6, rtol=0)


def test_the_fusion_lets_go_of_every_map_once_it_is_read() -> None:
    fusion = Fusion(8, nn)
    maps = [torch.randn(1, 8, side, side) for side in (16, 8, 4, 2)]
    references = [weakref.ref(x) for x in maps]
    alive = []
    for block in fusion.blocks:
        block.register_forward_hook(
            lambda *_: alive.append(sum(reference() is not None for reference in references))
        )
    with torch.no_grad():
        assert fusion(maps).shape == (1, 8, 32, 32)
    assert alive == [4, 2, 1, 0]  # the coarsest is what its block is called with


class Largest(TorchDispatchMode):
    """The most elements that any result has."""

    numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.numel = max(self.numel, result.numel())
        return result


def test_no_map_is_as_large_as_all_rows_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    layers, x, size = Projection(16, 4, nn), torch.randn(1, 16, 20, 20), (160, 160)
    with Largest() as largest:
        project(layers, x, size, 16, monkeypatch)
    assert largest.numel == 16 * 160 * (16 + 2)  # a band, and a row above and below it


def test_features_are_what_the_last_convolution_reads() -> None:
    layers, x, size = Projection(8, 4, nn), torch.randn(1, 8, 10, 12), (21, 25)
    with torch.no_grad():
        assert torch.equal(layers[2](layers.features(x, size)), layers(x, size))
