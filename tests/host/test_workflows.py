"""The ready workflows, run in a real server with a tiny checkpoint in the place of a large one."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.builders import tiny_sam, write_checkpoint, write_depth_anything

FOLDER = Path(__file__).parents[2] / "example_workflows"
MISSING = ("CheckpointLoaderSimple", "ControlNetLoader")  # weights of many gigabytes


def to_graph(workflow: dict[str, Any], server: Any) -> dict[str, Any]:
    """A saved workflow in the format of /prompt, as the editor converts it."""
    sources = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    graph = {}
    for node in workflow["nodes"]:
        kind = node["type"]
        if kind == "MarkdownNote":
            continue
        info = server.get_json(f"/object_info/{kind}")
        assert info, f"there is no node {kind}"
        values = list(node.get("widgets_values") or [])
        inputs: dict[str, Any] = {}
        for group in ("required", "optional"):
            for name, spec in info[kind]["input"].get(group, {}).items():
                take(name, spec, values, inputs)
        linked = {
            slot["name"]: sources[slot["link"]]
            for slot in node.get("inputs", [])
            if slot.get("link") is not None
        }
        graph[str(node["id"])] = {"class_type": kind, "inputs": {**inputs, **linked}}
    return graph


def take(name: str, spec: list[Any], values: list[Any], inputs: dict[str, Any]) -> None:
    """Move the values of one input's widgets from the list into the inputs."""
    kind, options = spec[0], spec[1] if len(spec) > 1 else {}
    if kind == "COMFY_DYNAMICCOMBO_V3":
        inputs[name] = values.pop(0)
        chosen = next(one for one in options["options"] if one["key"] == inputs[name])
        for group in ("required", "optional"):
            for sub, sub_spec in chosen["inputs"].get(group, {}).items():
                take(f"{name}.{sub}", sub_spec, values, inputs)
        return
    is_widget = isinstance(kind, list) or kind in ("COMBO", "INT", "FLOAT", "STRING", "BOOLEAN")
    if not is_widget or not values:
        return
    inputs[name] = values.pop(0)
    if options.get("control_after_generate"):
        values.pop(0)


def without_diffusion(graph: dict[str, Any]) -> dict[str, Any]:
    """The nodes that do not depend on what the tests do not have."""
    gone = {number for number, node in graph.items() if node["class_type"] in MISSING}
    while True:
        more = {
            number
            for number, node in graph.items()
            if number not in gone
            and any(
                isinstance(value, list) and value[0] in gone for value in node["inputs"].values()
            )
        }
        if not more:
            return {number: node for number, node in graph.items() if number not in gone}
        gone |= more


@pytest.fixture
def checkpoint(server) -> None:
    path = server.base / "models/dpt/depth_anything_v2_vits.pth"
    if not path.exists():
        write_depth_anything(path)


@pytest.fixture
def sam(server) -> None:
    path = server.base / "models/sams/sam_vit_b_01ec64.pth"
    if not path.exists():
        write_checkpoint(path, {key: tensor.float() for key, tensor in tiny_sam().items()})


@pytest.fixture
def example(server) -> None:
    """The image that the templates start with, and a short video."""
    small = (255 * np.random.default_rng(1).random((6, 9, 3))).astype(np.uint8)
    picture = Image.fromarray(small).resize((180, 126), Image.Resampling.BICUBIC)
    picture.save(server.base / "input/example.png")
    clip = [picture.crop((4 * n, 0, 4 * n + 140, 126)) for n in range(6)]
    clip[0].save(
        server.base / "input/clip.webp", save_all=True, append_images=clip[1:], lossless=True
    )


def run(server: Any, name: str, **changes: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """(history entry, node numbers by type) of a workflow, with inputs of its nodes changed."""
    workflow = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    graph = without_diffusion(to_graph(workflow, server))
    numbers = {node["class_type"]: number for number, node in graph.items()}
    for kind, inputs in changes.items():
        graph[numbers[kind]]["inputs"] |= inputs
    entry = server.run(graph)
    assert entry["status"]["status_str"] == "success", entry["status"]
    return entry, numbers


def preview(server: Any, entry: dict[str, Any], number: str) -> np.ndarray:
    return previews(server, entry, number)[0]


def previews(server: Any, entry: dict[str, Any], number: str) -> list[np.ndarray]:
    """The pictures that a preview node shows."""
    saved = entry["outputs"][number]["images"]
    return [np.asarray(Image.open(server.base / "temp" / one["filename"])) for one in saved]


def test_a_controlnet_map(server, checkpoint, example):
    entry, numbers = run(server, "depth_anything_controlnet_map")
    picture = preview(server, entry, numbers["PreviewImage"])
    assert picture.shape == (126, 180, 3)
    assert (picture.min(), picture.max()) == (0, 255)


@pytest.mark.parametrize(
    ("name", "size"),
    [("depth_controlnet_sd15", (512, 768)), ("depth_controlnet_union_sdxl", (832, 1216))],
)
def test_the_hint_of_a_controlnet(server, checkpoint, example, name, size):
    workflow = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    graph = to_graph(workflow, server)
    latent = next(node for node in graph.values() if node["class_type"] == "EmptyLatentImage")
    assert (latent["inputs"]["height"], latent["inputs"]["width"]) == size
    downloads = {
        model["name"]: model
        for node in workflow["nodes"]
        for model in node["properties"].get("models", [])
    }
    for node in graph.values():
        for value in node["inputs"].values():
            if isinstance(value, str) and value.endswith((".safetensors", ".pth")):
                assert downloads[value]["url"].startswith("https://huggingface.co/")

    entry, numbers = run(server, name)
    hint = preview(server, entry, numbers["PreviewImage"])
    assert hint.shape == (*size, 3)
    assert hint.min() == 0
    assert hint.max() == 255


def make_video(server: Any) -> None:
    """Let the server make the video that the workflow of a video reads."""
    entry = server.run(
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": "clip.webp"}},
            "2": {"class_type": "CreateVideo", "inputs": {"images": ["1", 0], "fps": 12.0}},
            "3": {
                "class_type": "SaveVideo",
                "inputs": {
                    "video": ["2", 0],
                    "filename_prefix": "made",
                    "format": "mp4",
                    "codec": "h264",
                },
            },
        }
    )
    saved = entry["outputs"]["3"]["images"][0]
    shutil.copy(server.base / "output" / saved["filename"], server.base / "input/video.mp4")


def test_a_steady_video(server, checkpoint, example):
    make_video(server)
    entry, numbers = run(server, "steady_depth_video", LoadVideo={"file": "video.mp4"})
    saved = entry["outputs"][numbers["SaveVideo"]]["images"][0]
    path = server.base / "output" / saved["subfolder"] / saved["filename"]
    assert path.suffix == ".mp4"
    assert path.stat().st_size > 1000


def test_a_mesh(server, checkpoint, example):
    entry, numbers = run(server, "depth_to_mesh", MoGePointMapToMesh={"discontinuity_threshold": 0})
    saved = entry["outputs"][numbers["SaveGLB"]]["3d"][0]
    path = server.base / "output" / saved["subfolder"] / saved["filename"]
    assert path.read_bytes()[:4] == b"glTF"
    assert preview(server, entry, numbers["PreviewImage"]).shape == (126, 180, 3)


def test_stages(server, checkpoint, example):
    entry, numbers = run(server, "visualize_stages")
    sheet = preview(server, entry, numbers["PreviewImage"])
    assert sheet.shape[1] > 3 * 360  # several pictures side by side
    assert sheet.std() > 10
    assert entry["outputs"][numbers["DPTVisualizeStages"]]["dpt_stages"]  # the explorer's data


def test_points_to_a_mask(server, sam, example):
    points = {"points": [{"x": 90, "y": 60, "label": 1}], "boxes": []}
    entry, numbers = run(
        server, "segment_points_to_mask", DPTSegment={"prompts": json.dumps(points)}
    )
    for kind in ("PreviewImage", "MaskPreview"):
        assert preview(server, entry, numbers[kind]).shape[:2] == (126, 180)


def test_the_points_workflow_runs_before_anything_is_marked(server, sam, example):
    entry, numbers = run(server, "segment_points_to_mask")
    assert not preview(server, entry, numbers["MaskPreview"])[..., :3].any()


def test_depth_layers_to_masks(server, checkpoint, sam, example):
    name = "depth_layers_to_masks"
    entry, numbers = run(server, name)
    workflow = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    graph = to_graph(workflow, server)
    sources = {
        graph[graph[number]["inputs"]["mask"][0]]["class_type"]: previews(server, entry, number)
        for number, node in graph.items()
        if node["class_type"] == "MaskPreview"
    }
    assert len(sources["DPTSegmentByDepth"]) == 3  # one a layer
    (by_depth,) = sources["DPTDepthMask"]
    assert by_depth.shape[:2] == (126, 180)
    assert by_depth.max() == 255
    assert preview(server, entry, numbers["PreviewImage"]).shape[:2] == (126, 180)


def test_every_workflow_is_offered_as_a_template(server):
    offered = server.get_json("/workflow_templates")
    names = next(iter(names for pack, names in offered.items() if "dpt" in pack.lower()))
    assert {path.stem for path in FOLDER.glob("*.json")} == set(names)
    assert {path.stem for path in FOLDER.glob("*.jpg")} == set(names)


def test_every_node_has_room(server, checkpoint, sam, example, browse, tmp_path):
    """Needs Node, Chromium and playwright-core."""
    make_video(server)
    names = sorted(path.stem for path in FOLDER.glob("*.json"))
    seen = browse("room.mjs", tmp_path, *names)
    assert len(seen) == 2 * (2 * len(names) + 2)  # renderings; the new nodes and the explorer
    assert [one for one in seen if one["overlaps"] or one["cut"]] == []


def test_notes_have_no_inline_code():
    """It cannot be read on a note in Vue rendering."""
    for path in FOLDER.glob("*.json"):
        workflow = json.loads(path.read_text(encoding="utf-8"))
        for node in workflow["nodes"]:
            if node["type"] == "MarkdownNote":
                assert "`" not in node["widgets_values"][0], path.name
