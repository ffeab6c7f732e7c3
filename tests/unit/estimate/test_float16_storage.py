"""Raw depth in float16: its error, and that everything takes it."""

import pytest
import torch

from dpt_core import Depth, depth_mask, layer_prompts
from dpt_core.depth_map import disparity, z_depth
from dpt_core.estimate.float16_storage import infer_and_store_float16
from dpt_core.geometry.align import MeasuredPoint, align_to_points, align_to_reference
from dpt_core.geometry.plane import remove_plane
from dpt_core.render import BatchRange, RenderSettings, SteadyRange, render

LEAST = 2**-11  # half the distance between neighbouring float16 numbers, as a share of them


def frames(count: int = 5) -> torch.Tensor:
    """Inverse depth in the range of Depth Anything V2 Large: near things are at 160."""
    far_to_near = torch.linspace(0.3, 160, 4096).view(64, 64)
    return torch.stack([far_to_near.roll(n, 1) * (1 + 0.01 * n) for n in range(count)])


def to_float16(depth: Depth) -> Depth:
    return depth._replace(values=depth.values.half())


def infer_in_turn(values: torch.Tensor):
    """A stand-in for the model that gives the next of the values, and their number at a time."""
    done = [0]
    chunks = []

    def infer(images: torch.Tensor) -> Depth:
        start = done[0]
        done[0] += len(images)
        chunks.append(len(images))
        part = values[start : done[0]]
        cameras = torch.eye(3).expand(len(part), 3, 3)
        return Depth(part, "inverse", part / 200, intrinsics=cameras, checkpoint="m.pth")

    return infer, chunks


def test_depth_is_kept_in_half_the_memory_chunk_by_chunk():
    infer, chunks = infer_in_turn(frames())
    seen = []
    depth = infer_and_store_float16(
        infer, torch.zeros(5, 3, 64, 64), 2, lambda *now: seen.append(now)
    )
    assert chunks == [2, 2, 1]
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert depth.values.nbytes == frames().nbytes // 2
    assert depth.sky is not None
    assert depth.sky.dtype == torch.float16
    assert depth.intrinsics is not None
    assert depth.intrinsics.shape == (5, 3, 3)
    assert (depth.kind, depth.checkpoint) == ("inverse", "m.pth")
    off = (depth.values.float() - frames()).abs() / frames()
    assert 0.5 * LEAST < off.max() <= LEAST  # as documented, near and far alike


@pytest.mark.parametrize("kind", ["inverse", "metres", "depth"])
@pytest.mark.parametrize("span", [BatchRange(), SteadyRange(2)])
def test_pictures_differ_by_less_than_a_fifth_of_an_8_bit_step(kind, span):
    values = frames() if kind == "inverse" else 80 / frames()
    depth = Depth(values, kind)
    for one, other in zip(
        render(depth, RenderSettings(range=span)),
        render(to_float16(depth), RenderSettings(range=span)),
        strict=True,
    ):
        assert other.grey.dtype == torch.float32
        assert (one.grey - other.grey).abs().max() * 255 < 0.2


def test_every_consumer_takes_float16_and_gives_float32():
    depth = Depth(frames(), "inverse")
    kept = to_float16(depth)
    assert disparity(kept).dtype == torch.float32
    points = [MeasuredPoint(3, 60, 1.0), MeasuredPoint(3, 5, 9.0)]
    for run in (
        lambda d: align_to_points(d, points).values,
        lambda d: align_to_reference(d, Depth(160 / frames(), "metres")).values,
        lambda d: remove_plane(d).depth.values + 1000,
        lambda d: z_depth(d, 1.0, 20.0),
        lambda d: depth_mask(d, 10, 60, 20) + 1,  # + 1: the error is relative to the range
        lambda d: depth_mask(Depth(d.values, "metres"), 10, 60, 20, "metres") + 1,
    ):
        exact, found = run(depth), run(kept)
        assert found.dtype == torch.float32
        off = (found - exact).abs()
        assert off.mean() < 2e-3 * exact.abs().mean()
        assert (off / exact.abs()).max() < 0.01
    for one, other in zip(layer_prompts(depth), layer_prompts(kept), strict=True):
        assert torch.equal(one.layers, other.layers)


def test_values_beyond_float16_are_refused():
    infer, _ = infer_in_turn(frames() * 1000)
    with pytest.raises(ValueError, match=r"images 2 to 3 .*goes up to 161600.* float32"):
        infer_and_store_float16(
            infer_in_turn(torch.cat([frames(2), frames(3) * 1000]))[0], torch.zeros(5, 3, 1, 1), 2
        )
    with pytest.raises(ValueError, match="no images"):
        infer_and_store_float16(infer, torch.zeros(0, 3, 64, 64))
