"""Layers that are faster than torch.nn's give the same."""

import pytest
import torch
import torch.nn.functional as F

from dpt_core.layers import default


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
