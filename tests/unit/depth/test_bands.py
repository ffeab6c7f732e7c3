"""The head runs in bands of rows with the same result, and maps are freed early."""

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from dpt_core import capture, load
from dpt_core.depth.config import DepthHeadConfig
from dpt_core.depth.heads import bands
from dpt_core.depth.heads.depth import DepthHead
from tests.builders import write_depth_anything


def predict(head: DepthHead, x: Tensor, size: tuple[int, int], rows: int, monkeypatch: Any):
    """The result when so many rows fit into a band."""
    channels = head.config.channels[0]
    monkeypatch.setattr(bands, "MIN_ROWS", 1)
    monkeypatch.setattr(bands, "BAND_BYTES", len(x) * channels * size[1] * x.itemsize * rows)
    with torch.no_grad():
        return head([x], size)


@pytest.mark.parametrize("sky", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 7, 52])
def test_bands_give_what_all_rows_at_once_give(
    rows: int, sky: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    head = DepthHead(DepthHeadConfig((8, 4), activation="exp", sky=sky), 16, nn)
    x, size = torch.randn(2, 16, 30, 40), (53, 71)
    whole = predict(head, x, size, 53, monkeypatch)
    banded = predict(head, x, size, rows, monkeypatch)
    assert (whole.sky is not None) == sky
    for found, expected in zip(banded, whole, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_maps_are_freed_once_the_next_part_has_read_them(tmp_path: Path) -> None:
    net = load(write_depth_anything(tmp_path / "depth_anything_v2.safetensors")).net
    references: list[weakref.ref[Tensor]] = []
    alive = []
    net.imgencoder.register_forward_hook(
        lambda *call: references.extend(weakref.ref(stage.map) for stage in call[-1])
    )
    net.reassemble.register_forward_hook(
        lambda *call: references.extend(weakref.ref(x) for x in call[-1])
    )
    net.head.register_forward_pre_hook(
        lambda *_: alive.extend(reference() is not None for reference in references)
    )
    with torch.no_grad():
        net(torch.rand(1, 3, 28, 42))
    assert alive == [False] * 8


class Largest(TorchDispatchMode):
    """The most elements that any result has."""

    numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.numel = max(self.numel, result.numel())
        return result


def test_no_map_is_as_large_as_all_rows_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    head = DepthHead(DepthHeadConfig((16, 4)), 32, nn)
    x, size = torch.randn(1, 32, 20, 20), (160, 160)
    with Largest() as largest:
        predict(head, x, size, 16, monkeypatch)
    assert largest.numel == 16 * 160 * (16 + 2)  # a band, and a row above and below it


def test_a_captured_layer_gives_the_whole_map(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    head = DepthHead(DepthHeadConfig((8, 4)), 16, nn)
    x, size = torch.randn(1, 16, 10, 12), (21, 25)
    unwatched = predict(head, x, size, 2, monkeypatch)
    names = ["spatial_upsampler", "proj_1ch.0", "proj_1ch.1", "proj_1ch.2"]
    with capture(head, names) as maps:
        watched = predict(head, x, size, 2, monkeypatch)
    shapes = [(1, 8, 10, 12), (1, 4, *size), (1, 4, *size), (1, 1, *size)]
    assert {name: tuple(m.shape) for name, m in maps.items()} == dict(
        zip(names, shapes, strict=True)
    )
    assert torch.equal(maps["proj_1ch.1"], maps["proj_1ch.0"].relu())
    torch.testing.assert_close(watched.depth, unwatched.depth, atol=1e-6, rtol=0)
