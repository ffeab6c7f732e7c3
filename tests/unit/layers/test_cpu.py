"""Layers for CPUs, faster than torch.nn's, give the same results."""

import pytest
import torch
import torch.nn.functional as F

from dpt_core.layers import cpu
from dpt_core.layers.attention import Attention
from dpt_core.layers.cpu import attend_by_products


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 600, 256), (3, 20, 30, 256), (2, 7, 256)])
def test_linear_is_the_matrix_product(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    layer = cpu.Linear(256, 384, bias=bias)
    x = torch.randn(shape)
    expected = F.linear(x.double(), layer.weight.double(), layer.bias.double() if bias else None)
    torch.testing.assert_close(layer(x).double(), expected, atol=1e-5, rtol=1e-5)


def test_linear_takes_tokens_that_are_a_slice() -> None:
    layer = cpu.Linear(256, 256)
    tokens = torch.randn(2, 601, 256)
    expected = F.linear(tokens[:, 1:], layer.weight, layer.bias)
    torch.testing.assert_close(layer(tokens[:, 1:]), expected, atol=1e-5, rtol=1e-5)


def test_linear_runs_as_a_convolution_where_that_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    conv2d = F.conv2d
    monkeypatch.setattr(cpu, "HAS_ONEDNN_AND_MKL", True)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(F, "conv2d", lambda *args: calls.append(1) or conv2d(*args))
    layer = cpu.Linear(256, 256)
    layer(torch.randn(1, 512, 256))
    layer(torch.randn(1, 511, 256))
    assert calls == [1]
    layer.bfloat16()(torch.randn(1, 512, 256).bfloat16())
    assert calls == [1, 1]
    layer(torch.randn(1, 511, 256).bfloat16())
    layer.double()(torch.randn(1, 512, 256).double())
    assert calls == [1, 1]


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
    found = cpu.winograd_conv3x3(x, weight, offset)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 2e-5


def test_convolution_is_fast_only_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    plain = cpu.winograd_conv3x3
    monkeypatch.setattr(cpu, "HAS_ONEDNN_AND_MKL", True)
    monkeypatch.setattr(cpu, "winograd_conv3x3", lambda *args: calls.append(1) or plain(*args))
    x = torch.randn(1, 128, 60, 60)
    layer = cpu.Conv2d(128, 128, kernel_size=3, padding=1)
    layer(x).sum().backward()
    assert not calls
    layer.requires_grad_(False)
    expected = F.conv2d(x, layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), expected, atol=2e-5, rtol=1e-5)
    assert calls == [1]
    with torch.no_grad():
        for channels in ((96, 128), (128, 144), (160, 128)):
            calls.clear()
            wide = torch.randn(1, channels[0], 60, 60)
            cpu.Conv2d(*channels, kernel_size=3, padding=1)(wide)
            assert calls == [1]
        layer(x[..., :59])
        cpu.Conv2d(95, 128, kernel_size=3, padding=1)(x[:, :95])
        cpu.Conv2d(128, 127, kernel_size=3, padding=1)(x)
        cpu.Conv2d(128, 128, kernel_size=3, padding=1, stride=2)(x)
        cpu.Conv2d(128, 128, kernel_size=1)(x)
        layer.bfloat16()(x.bfloat16())
    assert calls == [1]


@pytest.mark.parametrize("count", [1, 40, 600, 1024])
def test_products_are_the_attention(count: int) -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, count, 3, 32, dtype=torch.float64).transpose(2, 3)
    expected = F.scaled_dot_product_attention(query, key, value)
    found = attend_by_products(query, key, value)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)


def test_products_round_little_where_keys_have_much_in_common() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 1, 1, 600, 64).bfloat16()
    key = key + 16  # a multiple of the sum of a query, to all of its logits
    expected = F.scaled_dot_product_attention(query.double(), key.double(), value.double())
    error = (attend_by_products(query, key, value) - expected).abs().max() / expected.std()
    assert error < 0.1
    logits = query @ key.mT
    rounded = (logits / 8).softmax(dim=-1) @ value
    assert (rounded - expected).abs().max() / expected.std() > 2 * error


def test_attention_is_products_only_where_they_are_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(
        cpu,
        "attend_by_products",
        lambda *args: calls.append(1) or attend_by_products(*args),
    )
    layer = Attention(32, 2, cpu).requires_grad_(False)
    layer(torch.randn(1, 512, 32))
    layer.bfloat16()
    x = torch.randn(2, 512, 32).bfloat16()
    layer(x[:, 1:])
    layer(x, torch.zeros(1, 2, 512, 512).bfloat16())
    assert not calls
    fast = layer(x)
    assert calls == [1]
    monkeypatch.setattr(cpu, "QUERY_CHUNK", 513)
    torch.testing.assert_close(fast, layer(x), atol=0.02, rtol=0.02)
