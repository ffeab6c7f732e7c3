"""Tiled estimation, with a stand-in for the model that sees few pixels.

It reads depth off the image's brightness, but blurred to its own resolution and, like a
relative model, in a scale and a shift that differ from call to call.
"""

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from dpt_core import Depth
from dpt_core.depth_map import Kind
from dpt_core.estimate.detail import DetailSettings, infer_with_detail
from dpt_core.estimate.tiles import tile_spans

HEIGHT, WIDTH, SIDE = 192, 256, 48


class Model:
    """Sees `SIDE` pixels on the short side, and records the sizes of its inputs."""

    def __init__(self, kind: Kind = "inverse", tilt: float = 0.0) -> None:
        self.kind: Kind = kind
        self.tilt = tilt
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, images: torch.Tensor) -> Depth:
        height, width = images.shape[-2:]
        self.sizes.append((height, width))
        scale = SIDE / min(height, width)
        small = (round(height * scale), round(width * scale))
        seen = F.interpolate(images, size=small, mode="area")
        grey = F.interpolate(seen, size=(height, width), mode="bilinear")[:, 0]
        call = len(self.sizes)
        near = (1 + 0.3 * math.sin(3 * call)) * (0.2 + grey) + 0.05 * math.cos(5 * call)
        near = near + self.tilt * torch.linspace(-1, 1, width)  # left and right look different
        values = near if self.kind == "inverse" else 1 / near
        return Depth(values, self.kind, checkpoint="model.pth")


def scene() -> torch.Tensor:
    """1×3×H×W: a slope with round things of many sizes on it."""
    y, x = torch.meshgrid(torch.linspace(0, 3, HEIGHT), torch.linspace(0, 4, WIDTH), indexing="ij")
    grey = 0.2 + 0.1 * y + 0.02 * x
    generator = torch.Generator().manual_seed(2)
    for _ in range(40):
        cx, cy, radius, height = torch.rand(4, generator=generator).tolist()
        inside = (x - 4 * cx) ** 2 + (y - 3 * cy) ** 2 < (0.05 + 0.25 * radius**2) ** 2
        grey = torch.where(inside, 0.3 + 0.6 * height, grey)
    return grey.expand(1, 3, HEIGHT, WIDTH).clone()


def relative(values: torch.Tensor) -> torch.Tensor:
    """Free of scale and shift."""
    return (values - values.mean()) / values.std()


def error(depth: Depth, image: torch.Tensor) -> float:
    near = depth.values if depth.kind == "inverse" else 1 / depth.values
    return float((relative(near[0]) - relative(image[0, 0])).square().mean().sqrt())


def sharpness(values: torch.Tensor, image: torch.Tensor) -> float:
    """Gradient at the true edges, as a share of the truth's."""
    truth, found = relative(image[0, 0]).diff(dim=1), relative(values).diff(dim=1)
    edges = truth.abs() > 0.5
    return float(found[edges].abs().mean() / truth[edges].abs().mean())


@pytest.mark.parametrize("kind", ["inverse", "metres"])
def test_tiles_sharpen_edges_and_lower_the_error(kind):
    image = scene()
    plain = infer_with_detail(Model(kind), image, DetailSettings())
    tiled = infer_with_detail(Model(kind), image, DetailSettings(tiles=3))
    assert tiled.kind == kind
    assert tiled.checkpoint == "model.pth"
    near = [d.values[0] if kind == "inverse" else 1 / d.values[0] for d in (plain, tiled)]
    assert sharpness(near[1], image) > 1.7 * sharpness(near[0], image)
    assert error(tiled, image) < 0.8 * error(plain, image)


@pytest.mark.parametrize("overlap", [0.1, 0.25, 0.5])
def test_tiles_leave_no_seams(overlap):
    y = torch.linspace(0, 1, HEIGHT).unsqueeze(1)
    image = (0.3 + 0.4 * y + 0.2 * torch.linspace(0, 1, WIDTH)).expand(1, 3, HEIGHT, WIDTH)
    tiled = infer_with_detail(
        Model(tilt=0.02), image, DetailSettings(tiles=3, overlap=overlap)
    ).values[0]
    # Every tile leans in its own way, by up to 0.04; the steps between pixels stay small.
    steps = tiled.diff(dim=1).abs()
    assert steps.max() < 3 * steps.mean()


def test_the_model_sees_tiles_of_one_size():
    model = Model()
    infer_with_detail(model, scene(), DetailSettings(tiles=2, overlap=0.25))
    assert model.sizes[0] == (HEIGHT, WIDTH)
    assert set(model.sizes[1:]) == {(110, 146)}
    assert len(model.sizes) == 5


@pytest.mark.parametrize(("side", "tiles", "overlap"), [(100, 2, 0.25), (101, 3, 0.1), (7, 7, 0.5)])
def test_tiles_cover_the_image(side, tiles, overlap):
    spans = tile_spans(side, tiles, overlap)
    assert spans[0][0] == 0
    assert spans[-1][1] == side
    assert len({end - start for start, end in spans}) == 1
    assert all(a[1] >= b[0] for a, b in pairwise(spans))


def test_a_tile_that_shows_nothing_keeps_the_whole_images_depth():
    image = torch.zeros(1, 3, HEIGHT, WIDTH)
    image[..., : WIDTH // 3] = torch.linspace(0, 1, WIDTH // 3)
    depth = infer_with_detail(Model(), image, DetailSettings(tiles=2, overlap=0.1))
    assert torch.isfinite(depth.values).all()
    right = depth.values[0, :, WIDTH * 3 // 4 :]
    assert right.std() < 1e-4


def test_mirroring_evens_out_left_and_right():
    image = scene()
    plain = infer_with_detail(Model(tilt=0.1), image, DetailSettings())
    both = infer_with_detail(Model(tilt=0.1), image, DetailSettings(flip=True))
    assert error(both, image) < 0.9 * error(plain, image)


@pytest.mark.parametrize("tiles", [1, 2])
def test_a_panorama_closes(tiles):
    angle = torch.linspace(0, 2 * math.pi, WIDTH + 1)[:-1]
    image = (0.5 + 0.3 * torch.sin(angle)).expand(1, 3, HEIGHT, WIDTH).clone()

    def seam(circular) -> float:
        detail = DetailSettings(circular=circular, tiles=tiles)
        values = infer_with_detail(Model(tilt=0.1), image, detail).values[0]
        assert values.shape == (HEIGHT, WIDTH)
        inside = values.diff(dim=1).abs().amax()
        return float((values[:, 0] - values[:, -1]).abs().mean() / inside)

    assert seam("off") > 2
    assert seam("horizontal") < 1.1


def test_a_texture_closes_both_ways():
    y = torch.linspace(0, 2 * math.pi, HEIGHT + 1)[:-1].unsqueeze(1)
    image = (0.5 + 0.3 * torch.cos(y)).expand(1, 3, HEIGHT, WIDTH).clone()
    values = infer_with_detail(Model(), image, DetailSettings(circular="both")).values[0]
    assert (values[0] - values[-1]).abs().max() < 1.1 * values.diff(dim=0).abs().max()


def test_a_thin_painted_line_is_cropped_with_context():
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 80:82, 20:180] = 1
    model = Model()
    infer_with_detail(model, scene(), DetailSettings(), region=mask)
    height, width = model.sizes[-1]
    assert 3 * height >= width - 2 * 0.15 * 160
    mask[:, :, :] = 0
    mask[:, :2, :] = 1  # at the border there is less to see
    infer_with_detail(model, scene(), DetailSettings(), region=mask)
    assert model.sizes[-1][0] > WIDTH / 7


def test_a_painted_region_becomes_sharper_and_the_rest_stays():
    image = scene()
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 60:130, 80:170] = 1
    plain = infer_with_detail(Model(), image, DetailSettings()).values[0]
    finer = infer_with_detail(Model(), image, DetailSettings(), region=mask).values[0]
    inside = (slice(70, 120), slice(90, 160))
    truth = image[0, 0][inside]

    def off(values: torch.Tensor) -> torch.Tensor:
        return (relative(values[inside]) - relative(truth)).square().mean().sqrt()

    assert off(finer) < 0.8 * off(plain)
    assert torch.equal(finer[:30], plain[:30])
    assert torch.equal(finer[:, 210:], plain[:, 210:])


def test_every_frame_of_a_batch_and_progress():
    seen = []
    image = scene()
    batch = torch.cat([image, image.flip(-1)])
    depth = infer_with_detail(
        Model(),
        batch,
        DetailSettings(tiles=2),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert depth.values.shape == (2, HEIGHT, WIDTH)
    assert seen == [(1, 2), (2, 2)]
    for number in range(2):
        assert error(depth._replace(values=depth.values[number:]), batch[number:]) < 0.3


@pytest.mark.parametrize(
    ("detail", "region", "sentence"),
    [
        (DetailSettings(tiles=0), None, "tiles is 0"),
        (DetailSettings(overlap=0.9), None, "overlap is 0.9"),
        (DetailSettings(circular="vertical"), None, "circular is 'vertical'"),  # pyright: ignore[reportArgumentType]
        (DetailSettings(), torch.ones(1, 5, 5), "The mask is 1×5×5"),
    ],
)
def test_bad_input_gets_a_sentence(detail, region, sentence):
    with pytest.raises(ValueError, match=sentence):
        infer_with_detail(Model(), scene(), detail, region)


def test_no_images():
    with pytest.raises(ValueError, match="no images"):
        infer_with_detail(Model(), torch.zeros(0, 3, 8, 8), DetailSettings())
