"""The trainer of the demo checkpoint: exact depth, the loss, and a file like any other."""

import math

import numpy as np
import pytest
import torch

import dpt_core
from dpt_core import capture
from tools.train_demo import train as training
from tools.train_demo.camera import photograph
from tools.train_demo.dead_units import reset_dead_units
from tools.train_demo.loss import depth_loss
from tools.train_demo.network import CONFIG, export, make_network
from tools.train_demo.raycast import MISS, SHAPES, Primitives, cast
from tools.train_demo.render import render
from tools.train_demo.scene import Scene
from tools.train_demo.scene_types import HELD_OUT, TRAINED
from tools.train_demo.score import align, errors
from tools.train_demo.textures import make_atlas


@pytest.fixture(scope="module")
def atlas():
    return make_atlas(np.random.default_rng(0), [], 4)


def unit_shape(shape: str, centre: tuple[float, float, float]) -> Primitives:
    """One unit shape at a place, and nothing else."""
    empty = torch.zeros(1, 1, 3, 3) + 1e4 * torch.eye(3)
    inverse = {name: torch.eye(3)[None, None] if name == shape else empty for name in SHAPES}
    centres = {
        name: torch.tensor([[centre if name == shape else (-1e4, -1e4, -1e4)]]) for name in SHAPES
    }
    return Primitives(inverse, centres)


@pytest.mark.parametrize(
    ("shape", "direction", "expected"),
    [
        ("box", (0, 0, 1), 4),
        ("box", (3, 0, 1), MISS),
        ("ellipsoid", (0, 0, 1), 4),
        ("ellipsoid", (0, 0.1, 1), (10 - math.sqrt(100 - 4 * 1.01 * 24)) / 2.02),  # |d·t − c| = 1
        ("cylinder", (0, 0, 1), 4),
        ("cone", (0, 0, 1), 4.5),
    ],
)
def test_rays_meet_surfaces_where_geometry_says(shape, direction, expected):
    scene = unit_shape(shape, (0.0, 0.0, 5.0))
    rays = torch.tensor([[direction]], dtype=torch.float32)
    t, index = cast(torch.zeros(1, 1, 3), rays, scene)
    assert t.item() == pytest.approx(expected, rel=1e-5)
    if expected != MISS:
        assert index.item() == SHAPES.index(shape)


def test_depth_of_a_floor_is_that_of_the_pinhole_camera(atlas):
    rng = np.random.default_rng(0)
    scene = Scene(rng, eye=(0.0, 1.5, 0.0), fov=90.0)
    scene.ground()
    depth = render([scene], (8, 6), atlas, rng).depth[0]
    rows = (np.arange(8) + 0.5 - 4) / 4  # the tangent below the horizon
    assert torch.isinf(depth[:4]).all(), "above the horizon is sky"
    for row in range(4, 8):
        assert depth[row].tolist() == pytest.approx([1.5 / rows[row]] * 6, rel=1e-4)


@pytest.mark.parametrize("fill", dict.fromkeys(TRAINED + HELD_OUT), ids=lambda fill: fill.__name__)
def test_every_scene_type_gives_a_picture_with_depth(fill, atlas):
    rng = np.random.default_rng(1)
    scenes = [Scene(rng) for _ in range(2)]
    for scene in scenes:
        fill(scene)
    images, depth = render(scenes, (24, 32), atlas, rng)
    assert images.shape == (2, 3, 24, 32)
    assert images.isfinite().all()
    assert images.flatten(1).std(dim=1).min() > 0.005, "a picture, not one colour"
    assert (depth > 0).all()
    assert (depth.flatten(1) < 1000).float().mean(1).min() > 0.2


def test_a_seed_gives_the_same_pictures(atlas):
    def picture():
        rng = np.random.default_rng(3)
        scene = Scene(rng)
        TRAINED[0](scene)
        return render([scene], (16, 16), atlas, rng)

    first, second = picture(), picture()
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.depth, second.depth)


def test_the_loss_forgives_scale_and_shift_alone():
    inverse = torch.rand(2, 32, 32, generator=torch.Generator().manual_seed(0)) + 0.1
    assert depth_loss(3 * inverse + 2, inverse) < 0.01
    # A scale far from 1 costs a little, so that weights do not grow without end
    assert 0.1 < depth_loss(1e3 * inverse, inverse) < depth_loss(1e6 * inverse, inverse) < 2
    assert depth_loss(3 - inverse, inverse) > 1
    # Of a map of the right values in the wrong places too
    assert depth_loss(inverse.flip(-1), inverse) > 1


def test_scores_of_a_perfect_map_and_of_a_constant():
    inverse = torch.linspace(0.05, 1, 64).view(1, 8, 8)
    relative, close = errors(5 * inverse + 1, 1 / inverse)
    assert relative.item() == pytest.approx(0, abs=1e-4)
    assert close.item() == 1
    assert errors(torch.ones_like(inverse), 1 / inverse)[1].item() < 0.5
    valid = torch.ones_like(inverse, dtype=torch.bool)
    assert torch.allclose(align(7 - 2 * inverse, inverse, valid), inverse, atol=1e-5)


def test_the_checkpoint_is_like_any_other(tmp_path):
    torch.manual_seed(0)
    net = make_network().eval()
    export(net.state_dict(), tmp_path / "demo.safetensors", 0)
    model = dpt_core.load(tmp_path / "demo.safetensors", dtype=torch.float32)
    assert model.inspection.summary().startswith("Depth Anything V2, official keys")
    assert model.config == CONFIG
    images = torch.rand(1, 3, 70, 84)
    with torch.inference_mode():
        ours = net(images).relu()
        loaded = model.net(model.preprocess(images, 70))
    assert (ours - loaded).abs().max() < 5e-3 * ours.std(), "float16 weights, the same network"


def test_resetting_dead_units_keeps_the_depth():
    torch.manual_seed(0)
    net, images = make_network(), torch.rand(2, 3, 56, 70)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("fuse_proj.weight"):
                parameter *= 1e4
        net.get_parameter("head.proj_1ch.0.bias")[:20] = -1e6
        before = net(images)
    assert reset_dead_units(net, images) >= 20
    assert reset_dead_units(net, images) == 0
    with torch.no_grad():
        after = net(images)
        with capture(net, ["head.spatial_upsampler"]) as maps:
            net(images)
        rescaled = maps["head.spatial_upsampler"]
    assert (after - before).abs().max() < 0.05 * before.std()
    assert 1 < rescaled.std() < 10


def test_a_new_phase_starts_with_the_average_and_a_warm_up(tmp_path, monkeypatch):
    phases = [training.Phase(until, 48, ((2, 2),), 1) for until in (0.5, 1.0)]
    monkeypatch.setattr(training, "SCHEDULE", phases)
    run = training.Training(tmp_path, [], 0, torch.device("cpu"))
    for progress in (0.1, 0.2, 0.6):
        run.advance(progress)
    assert (run.step, run.since) == (3, 2)
    assert run.optimisers[1].param_groups[0]["lr"] == 0  # the first step of a warm-up


def test_training_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SCHEDULE", (training.Phase(1.0, 48, ((3, 3),), 2),))

    def start():
        return training.Training(tmp_path, [], 0, torch.device("cpu"))

    first = start()
    losses = [first.advance(0.1) for _ in range(2)]
    assert np.isfinite(losses).all()
    first.save()
    second = start()
    second.resume()
    assert (second.step, second.images) == (2, 4)
    for name, tensor in first.net.state_dict().items():
        assert torch.equal(tensor, second.net.state_dict()[name]), name
    second.advance(0.1)
    assert not torch.equal(
        first.net.state_dict()["head.proj_1ch.0.weight"],
        second.net.state_dict()["head.proj_1ch.0.weight"],
    )


def test_an_interrupted_training_is_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SCHEDULE", (training.Phase(1.0, 48, ((2, 2),), 1),))
    run = training.Training(tmp_path, [], 0, torch.device("cpu"))
    run.advance(0.1)

    def interrupt(progress):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "advance", interrupt)
    lines: list[str] = []
    training.train(run, 1.0, lines.append)
    assert run.file.exists()
    assert "saved" in lines[-1]


def test_some_pictures_are_taken_from_close_by() -> None:
    rng = np.random.default_rng(0)
    images = torch.rand(64, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    depth = torch.ones(64, 96, 96)
    depth[..., 48:] = 20  # near on the left, far on the right
    steps = photograph(images, depth, rng).diff(dim=-1).abs().mean(dim=(1, 2))
    far_over_near = steps[:, 50:].mean(dim=1) / steps[:, :46].mean(dim=1)
    assert 0.1 < (far_over_near < 0.3).float().mean() < 0.5
    assert (far_over_near > 0.8).float().mean() > 0.3
