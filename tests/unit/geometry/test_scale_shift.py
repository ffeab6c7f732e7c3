"""Least-squares fits of a scale and a shift."""

import pytest
import torch

from dpt_core.geometry.scale_shift import fit, fit_robust


def test_fits_recover_scale_and_shift():
    x = torch.linspace(0, 1, 1000)
    noise = 0.2 * torch.randn(1000, generator=torch.Generator().manual_seed(0))
    assert fit(x, 3 * x - 1) == pytest.approx((3, -1))
    there, back = fit(x + noise, x, symmetric=True), fit(x, x + noise, symmetric=True)
    assert there.scale * back.scale == pytest.approx(1)
    spoilt = 3 * x - 1
    spoilt[:450] = torch.rand(450, generator=torch.Generator().manual_seed(1)) * 9
    assert fit_robust(x, spoilt) == pytest.approx((3, -1), abs=0.02)
    with pytest.raises(ValueError, match="two values that differ; 3 were given, all the same"):
        fit(torch.ones(3), torch.rand(3))
