"""Layers that are faster than torch.nn's give the same."""

import pytest
import torch
import torch.nn.functional as F

from dpt_core.layers import default, winograd


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 600, 256), (3, 20, 30, 256), (2, 7, 256)])
def test_linear_is_the_matrix_product(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    layer = default.Linear(256, 384, bias=bias)
    x = torch.randn(shape)
    expected = F.linear(x.double(), layer.weight.double(), layer.bias.double() if bias else None)
    torch.testing.assert_close(layer(x).double(), expected, atol=1e-5, rtol=1e-5)


def test_linear_takes_tokens_that_are_a_slice() -> None:
    layer = default.Linear(256, 256)
    tokens = torch.randn(2, 601, 256)
    expected = F.linear(tokens[:, 1:], layer.weight, layer.bias)
    torch.testing.assert_close(layer(tokens[:, 1:]), expected, atol=1e-5, rtol=1e-5)


def test_linear_runs_as_a_convolution_where_that_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    conv2d = F.conv2d
    monkeypatch.setattr(default, "HAS_BOTH", True)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(F, "conv2d", lambda *args: calls.append(1) or conv2d(*args))
    layer = default.Linear(256, 256)
    layer(torch.randn(1, 512, 256))
    layer(torch.randn(1, 511, 256))
    layer.bfloat16()(torch.randn(1, 512, 256, dtype=torch.bfloat16))
    assert calls == [1]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(1, 4, 4), (2, 37, 50), (1, 61, 47), (1, 3, 1)])
def test_winograd_is_the_convolution(size: tuple[int, int, int], bias: bool) -> None:
    torch.manual_seed(0)
    batch, height, width = size
    x = torch.randn(batch, 24, height, width)
    weight, offset = torch.randn(40, 24, 3, 3) / 15, torch.randn(40) if bias else None
    expected = F.conv2d(
        x.double(), weight.double(), None if offset is None else offset.double(), padding=1
    )
    found = winograd.conv3x3(x, weight, offset)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 2e-5


def test_convolution_is_fast_only_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    plain = winograd.conv3x3
    monkeypatch.setattr(default, "HAS_BOTH", True)
    monkeypatch.setattr(winograd, "conv3x3", lambda *args: calls.append(1) or plain(*args))
    x = torch.randn(1, 128, 60, 60)
    layer = default.Conv2d(128, 128, kernel_size=3, padding=1)
    layer(x).sum().backward()
    assert not calls
    layer.requires_grad_(False)
    expected = F.conv2d(x, layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), expected, atol=2e-5, rtol=1e-5)
    assert calls == [1]
    layer(x[..., :59])
    default.Conv2d(128, 128, kernel_size=3, padding=1, stride=2)(x)
    default.Conv2d(128, 128, kernel_size=1)(x)
    default.Conv2d(128, 64, kernel_size=3, padding=1)(x)
    layer.bfloat16()(x.bfloat16())
    assert calls == [1]
