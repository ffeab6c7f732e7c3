"""Steady brightness over a video, on a ray-traced clip whose depth is known."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from dpt_core import Depth
from dpt_core.render import BatchRange, PerImageRange, RenderSettings, SteadyRange, render
from dpt_core.render.video import _envelope, align_frames, sample_pixels, steady_limits

HEIGHT, WIDTH, FRAMES = 60, 96, 36


@dataclass
class Clip:
    """A camera that moves past a floor, a wall and pillars, and a post that crosses in front.

    Attributes:
        disparity: true 1/z, B×H×W.
        static: 1/z stays the same there through the clip: floor and wall, never occluded.
    """

    disparity: Tensor
    static: Tensor


def ray_trace(forward: float = 0.0) -> Clip:
    """Depth of the scene at each frame, exactly, by intersecting rays with planes and boxes."""
    y, x = torch.meshgrid(
        (torch.arange(HEIGHT) + 0.5 - HEIGHT / 2) / WIDTH,
        (torch.arange(WIDTH) + 0.5 - WIDTH / 2) / WIDTH,
        indexing="ij",
    )
    frames, blocked = [], torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    for number in range(FRAMES):
        camera_x, camera_z = 0.06 * number, forward * number
        near = (y / 1.5).clamp(min=0)  # the floor, 1.5 below the camera
        near = torch.maximum(near, torch.full_like(near, 1 / (12 - camera_z)))  # the wall
        hidden = torch.zeros_like(blocked)
        for pillar in range(-3, 8):
            z = 6 - camera_z + (pillar % 3)
            hit = ((x * z + camera_x - 1.7 * pillar).abs() < 0.25) & (y * z > -1.0)
            hit &= 1 / z > near
            near = torch.where(hit, torch.maximum(near, torch.tensor(1 / z)), near)
            hidden |= hit
        if 10 <= number < 22:  # someone walks through, close to the camera
            hit = (x - (number - 16) * 0.07).abs() < 0.05
            near = torch.where(hit, 1 / 1.2, near)
            hidden |= hit
        frames.append(near)
        blocked |= hidden
    return Clip(torch.stack(frames), ~blocked)


def as_a_model_sees_it(disparity: Tensor, noise: float = 0.01) -> Tensor:
    """Each frame with a scale and a shift of its own, and noise on every pixel."""
    generator = torch.Generator().manual_seed(3)
    scale = 20 * torch.empty(len(disparity), 1, 1).uniform_(0.8, 1.25, generator=generator)
    shift = 2 * torch.empty(len(disparity), 1, 1).uniform_(-1, 1, generator=generator)
    values = disparity * scale + shift
    return values + noise * scale * 0.3 * torch.randn(values.shape, generator=generator)


def pictures(values: Tensor, span) -> Tensor:
    settings = RenderSettings(range=span)
    return torch.stack([frame.grey for frame in render(Depth(values, "inverse"), settings)])


def flicker(grey: Tensor, static: Tensor) -> float:
    """Temporal variance of static points, averaged."""
    assert static.sum() > 300
    return float(grey[:, static].var(dim=0).mean())


def test_static_points_hold_still():
    clip = ray_trace()
    values = as_a_model_sees_it(clip.disparity)
    each = flicker(pictures(values, PerImageRange()), clip.static)
    batch = flicker(pictures(values, BatchRange()), clip.static)
    assert flicker(pictures(values, SteadyRange(window=12)), clip.static) < each / 30
    steady = flicker(pictures(values, SteadyRange(window=24)), clip.static)
    assert steady < each / 500
    assert steady < batch / 50


def test_a_camera_that_moves_forward_brightens_smoothly():
    values = as_a_model_sees_it(ray_trace(forward=0.05).disparity)
    steps = {
        span: (pictures(values, span).mean(dim=(1, 2)).diff()[:9] ** 2).mean()  # before the post
        for span in (PerImageRange(), SteadyRange())
    }
    assert steps[SteadyRange()] < steps[PerImageRange()] / 5


def test_a_scene_cut_starts_a_new_range():
    street = ray_trace().disparity[:6]
    y, x = torch.meshgrid(
        torch.linspace(-0.3, 0.3, HEIGHT), torch.linspace(-0.5, 0.5, WIDTH), indexing="ij"
    )
    room = torch.maximum(torch.maximum(y.abs() / 1.4, x.abs() / 2), torch.tensor(0.2))
    clip = torch.cat([street, 5 + room.expand(5, -1, -1)])
    aligned, shots = align_frames([sample_pixels(frame) for frame in as_a_model_sees_it(clip)])
    assert shots == [(0, 6), (6, 11)]
    assert aligned[6] == (1.0, 0.0)
    grey = pictures(as_a_model_sees_it(clip), SteadyRange())
    for shot in (grey[:6], grey[6:]):  # each shot uses the whole range
        assert shot.amin() == pytest.approx(0, abs=1e-6)
        assert shot.amax() == pytest.approx(1)


def test_a_frame_of_one_value_is_a_cut_not_an_error():
    clip = ray_trace().disparity[:4].clone()
    clip[2] = 0.5
    _, shots = align_frames([sample_pixels(frame) for frame in clip])
    assert shots == [(0, 2), (2, 3), (3, 4)]
    assert pictures(clip, SteadyRange())[2].amax() == 0


def test_a_sky_of_one_value_does_not_set_the_scale():
    frame = torch.zeros(40, 50)  # 60 % sky
    frame[24:] = torch.linspace(1, 9, 16).unsqueeze(1)
    aligned, shots = align_frames([sample_pixels(frame), sample_pixels(frame * 1.25 + 3)])
    assert shots == [(0, 2)]
    assert aligned[1] == pytest.approx((0.8, -2.4), abs=1e-4)


def test_invalid_pixels_take_no_part():
    clip = as_a_model_sees_it(ray_trace().disparity)
    valid = torch.ones_like(clip, dtype=torch.bool)
    valid[:, :, :20] = False
    settings = RenderSettings(range=SteadyRange())
    nan, far_off = (
        [
            frame.grey
            for frame in render(Depth(clip.where(valid, junk), "inverse", valid=valid), settings)
        ]
        for junk in (torch.nan, 1e6)
    )
    for one, other in zip(nan, far_off, strict=True):
        assert torch.equal(one, other)
        assert (one[:, :20] == one.amin()).all()
        assert one.amax() > 0.1  # the post, later in the clip, is the nearest


@pytest.mark.parametrize("window", [0, 1, 5, 100])
def test_the_range_cuts_nothing_off(window):
    values = torch.randn(40, generator=torch.Generator().manual_seed(0))
    curve = _envelope(values, window)
    assert (curve >= values - 1e-6).all()
    assert curve.diff().abs().max() <= values.diff().abs().max() / max(window, 1) + 1e-6


def test_limits_follow_their_frames():
    frames = [torch.linspace(0, 1 + 0.1 * n, 100) for n in range(5)]
    ends = [(0.0, float(frame[-1])) for frame in frames]
    limits = steady_limits(frames, ends, window=0)
    # Every frame is the first one in another scale, so all of them have its range.
    assert [round(one.high, 4) for one in limits] == [1.0] * 5
    assert limits[4].scale == pytest.approx(1 / 1.4, rel=1e-4)


def test_a_window_below_zero_is_refused():
    with pytest.raises(ValueError, match="window is -1"):
        steady_limits([torch.ones(3)], [(0.0, 1.0)], -1)
