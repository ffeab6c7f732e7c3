"""Raw depth to pictures: styles, ranges, sizes, and what cannot be rendered."""

import math

import pytest
import torch

from dpt_core import Depth
from dpt_core.render import (
    BatchRange,
    FixedRange,
    OutputSize,
    PerImageRange,
    RenderSettings,
    SteadyRange,
    control_image,
    pixel_perfect,
    render,
    to_multiple,
)


def grey(depth: Depth, **settings) -> torch.Tensor:
    return torch.stack([frame.grey for frame in render(depth, RenderSettings(**settings))])


@pytest.fixture
def inverse() -> Depth:
    values = torch.rand(3, 12, 20, generator=torch.Generator().manual_seed(1)) * 80 + 3
    values[1] *= 2
    return Depth(values, "inverse")


@pytest.fixture
def metres() -> Depth:
    return Depth(torch.linspace(1, 5, 200).reshape(1, 10, 20), "metres")


def test_the_default_is_what_depth_controlnets_want(inverse):
    assert torch.equal(grey(inverse), control_image(inverse))


def test_a_metric_map_is_turned_round(metres):
    picture = grey(metres)[0]
    assert picture[0, 0] == 1
    assert picture[-1, -1] == 0


def test_4096_levels_survive():
    ramp = torch.arange(4096.0).reshape(1, 64, 64)
    sixteen_bit = (grey(Depth(ramp, "inverse")) * 65535).round()
    assert len(sixteen_bit.unique()) == 4096


def test_whole_batch_keeps_frames_in_proportion(inverse):
    picture = grey(inverse, range=BatchRange())
    low, high = inverse.values.amin(), inverse.values.amax()
    torch.testing.assert_close(picture, (inverse.values - low) / (high - low))


def test_percentiles_cut_the_ends_off(inverse):
    for span in (PerImageRange(10, 90), BatchRange(10, 90)):
        picture = grey(inverse, range=span)
        assert 0.08 < (picture == 0).float().mean() < 0.12
        assert 0.08 < (picture == 1).float().mean() < 0.12


def test_a_fixed_range_is_in_raw_units(inverse, metres):
    picture = grey(inverse, range=FixedRange(10, 60))
    torch.testing.assert_close(picture, ((inverse.values - 10) / 50).clamp(0, 1))
    picture = grey(metres, range=FixedRange(2, 4))
    expected = (1 / metres.values - 1 / 4) / (1 / 2 - 1 / 4)
    torch.testing.assert_close(picture, expected.clamp(0, 1))


def test_true_depth_is_linear_in_metres(metres):
    torch.testing.assert_close(
        grey(metres, style="far"), (metres.values - 1) / 4, atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        grey(metres, style="far", range=FixedRange(2, 4)),
        ((metres.values - 2) / 2).clamp(0, 1),
        atol=1e-6,
        rtol=0,
    )
    torch.testing.assert_close(grey(metres, style="metres"), metres.values)


def test_a_relative_model_needs_near_and_far_for_metres():
    depth = Depth(torch.tensor([[[0.0, 5.0, 10.0]]]), "inverse")
    picture = grey(depth, style="metres", near=2, far=8)
    torch.testing.assert_close(picture, torch.tensor([[[8.0, 1 / (5 / 16), 2.0]]]))
    picture = grey(depth, style="far", near=2, far=8)
    torch.testing.assert_close(picture, torch.tensor([[[1.0, (3.2 - 2) / 6, 0.0]]]))
    with pytest.raises(ValueError, match=r"relative inverse depth.*near and far"):
        grey(depth, style="metres")


def test_the_raw_style_gives_the_vae_what_flux_saw(inverse):
    image = grey(inverse, style="raw")
    torch.testing.assert_close(2 * image - 1, inverse.values / 127.5 - 1)


def test_invert_and_gamma(inverse):
    plain = grey(inverse)
    assert torch.equal(grey(inverse, invert=True), 1 - plain)
    torch.testing.assert_close(grey(inverse, gamma=2.0), plain.sqrt())


def test_a_strip_can_be_cropped_to_any_shape():
    strip = Depth(torch.rand(1, 1000, 2), "inverse")
    assert grey(strip, output=OutputSize((64, 1024), "crop")).shape == (1, 64, 1024)


def test_the_size_is_exact(inverse):
    for fit in ("crop", "stretch"):
        assert grey(inverse, output=OutputSize((16, 16), fit)).shape == (3, 16, 16)
    ramp = Depth(torch.arange(40.0).expand(1, 20, 40), "inverse")
    # The middle half of the ramp, 10 … 29, stretched to the full range once it is cut out.
    cropped = grey(ramp, output=OutputSize((10, 10), "crop"), range=FixedRange(0, 39))
    assert cropped[0, 0, 0] * 39 == pytest.approx(10.5, abs=0.3)
    assert cropped[0, 0, -1] * 39 == pytest.approx(28.5, abs=0.3)
    assert grey(ramp, output=OutputSize((7, 9))).amax() == 1


def test_sizes():
    assert pixel_perfect((720, 1280), (512, 512)) == (512, 910)
    assert pixel_perfect((720, 1280), (512, 512), outer=True) == (288, 512)
    assert to_multiple((720, 1279), 64) == (704, 1280)
    assert to_multiple((10, 100), 64) == (64, 128)


@pytest.mark.parametrize("output", [None, OutputSize((6, 10)), OutputSize((24, 40))])
def test_what_is_not_valid_counts_as_farthest(inverse, output):
    valid = torch.ones_like(inverse.values, dtype=torch.bool)
    valid[:, :, :8] = False
    values = torch.where(valid, inverse.values, torch.nan)
    frames = list(render(Depth(values, "inverse", valid=valid), RenderSettings(output=output)))
    for frame in frames:
        assert frame.valid is not None
        assert frame.valid.float().mean() == pytest.approx(0.6)
        assert (frame.grey[~frame.valid] == 0).all()
        assert frame.grey[frame.valid].amin() == 0
        assert frame.grey[frame.valid].amax() == 1


def test_a_frame_without_a_valid_pixel_is_black(inverse):
    valid = torch.ones_like(inverse.values, dtype=torch.bool)
    valid[1] = False
    frames = list(render(inverse._replace(valid=valid)))
    assert (frames[1].grey == 0).all()
    assert frames[0].valid is None


def test_half_precision_depth_is_rendered_in_float(inverse):
    picture = grey(inverse._replace(values=inverse.values.half()))
    assert picture.dtype == torch.float32
    torch.testing.assert_close(picture, grey(inverse), atol=1e-3, rtol=0)


def test_the_depth_is_not_changed(inverse):
    before = inverse.values.clone()
    for span in (PerImageRange(), BatchRange(5, 95), SteadyRange()):
        grey(inverse, range=span, invert=True, gamma=2.0, output=OutputSize((6, 6)))
    assert torch.equal(inverse.values, before)


def test_one_flat_frame_of_many_is_black(inverse):
    inverse.values[2] = 7
    assert (grey(inverse)[2] == 0).all()


@pytest.mark.parametrize("calls", [2, 4])  # while looking through, while rendering
@pytest.mark.parametrize("span", [PerImageRange(), BatchRange(), BatchRange(1, 99), SteadyRange()])
def test_progress_can_end_the_work(inverse, span, calls):
    seen = []

    def stop(done, total):
        seen.append((done, total))
        if len(seen) == calls:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(render(inverse, RenderSettings(range=span), progress=stop))
    assert seen == [(0, 3), (0, 3), (0, 3), (1, 3)][:calls]


FLAT = Depth(torch.ones(2, 3, 3), "inverse")
RAMP = Depth(torch.rand(1, 4, 4), "inverse")
METRES = Depth(1 + torch.rand(1, 4, 4), "metres")


@pytest.mark.parametrize(
    ("depth", "settings", "sentence"),
    [
        (FLAT, {}, "the same everywhere"),
        (FLAT, {"range": BatchRange()}, "the same everywhere"),
        (FLAT, {"range": SteadyRange()}, "the same everywhere"),
        (Depth(torch.full((1, 3, 3), torch.nan), "inverse"), {}, "image 0 .* NaN"),
        (Depth(torch.ones(0, 3, 3), "inverse"), {}, "0×3×3 .*at least one frame"),
        (RAMP, {"style": "metres", "near": 5, "far": 2}, "near is 5 and far is 2"),
        (RAMP, {"style": "far", "near": 0, "far": 2}, "near is 0 and far is 2"),
        (RAMP, {"style": "far"}, "Give near and far"),
        (Depth(RAMP.values, "depth"), {"style": "metres"}, "depth without a unit"),
        (METRES, {"style": "raw"}, "in metres, and the raw style"),
        (RAMP, {"style": "raw", "invert": True}, "invert and gamma"),
        (RAMP, {"gamma": 0}, "gamma is 0"),
        (RAMP, {"gamma": math.nan}, "gamma is nan"),
        (RAMP, {"range": FixedRange(3, 3)}, "from 3 to 3"),
        (METRES, {"range": FixedRange(0, 3)}, "near is 0 and far is 3"),
        (RAMP, {"range": PerImageRange(60, 40)}, "percentiles are 60 and 40"),
    ],
)
def test_bad_input_gets_a_sentence(depth, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        grey(depth, **settings)
