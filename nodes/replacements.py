"""Depth nodes of other packs that ours can replace where those packs are not installed.

ComfyUI offers the replacements when somebody opens a workflow with missing nodes, and applies
them to graphs that are queued through the API.
"""

from typing import Any

from comfy_api.latest import ComfyAPI, io  # pyright: ignore[reportMissingImports]

from .host import running

MIDAS = "dpt_hybrid-midas-501f0c75.pt"  # the only checkpoint of that preprocessor


def replacements() -> list[Any]:
    """Each replaced node with its inputs and outputs.

    Outputs are mapped only where their index changes. When one replaced node feeds another,
    ComfyUI 0.27 can fail on mapped outputs: it handles nodes in an order that varies from start
    to start.
    """
    image = {"new_id": "image", "old_id": "image"}
    resolution = {"new_id": "resolution", "old_id": "resolution"}
    by_name = [
        io.NodeReplace(
            new_node_id="DPTDepthMap",
            old_node_id=old,
            old_widget_ids=["ckpt_name", "resolution"],
            input_mapping=[
                image,
                {"new_id": "checkpoint", "old_id": "ckpt_name"},
                resolution,
                {"new_id": "model_resolution", "set_value": 0},
            ],
        )
        for old in ("DepthAnythingV2Preprocessor", "DepthAnythingPreprocessor")
    ]
    midas = io.NodeReplace(
        new_node_id="DPTDepthMap",
        old_node_id="MiDaS-DepthMapPreprocessor",
        old_widget_ids=["a", "bg_threshold", "resolution"],
        input_mapping=[
            image,
            {"new_id": "checkpoint", "set_value": MIDAS},
            resolution,
            # That preprocessor runs the network at the size of its result.
            {"new_id": "model_resolution", "old_id": "resolution"},
        ],
    )
    loader = io.NodeReplace(
        new_node_id="DPTLoadCheckpoint",
        old_node_id="DownloadAndLoadDepthAnythingV2Model",
        old_widget_ids=["model"],
        input_mapping=[
            {"new_id": "checkpoint", "old_id": "model"},
            {"new_id": "precision", "set_value": "auto"},
            {"new_id": "variant", "set_value": "auto"},
            {"new_id": "max_depth", "set_value": 0.0},
        ],
    )
    estimate = io.NodeReplace(
        new_node_id="DPTEstimateDepth",
        old_node_id="DepthAnything_V2",
        input_mapping=[
            {"new_id": "model", "old_id": "da_model"},
            {"new_id": "image", "old_id": "images"},
            {"new_id": "resolution", "set_value": 0},
            {"new_id": "batch_size", "set_value": 0},
            {"new_id": "fov", "set_value": 0.0},
            {"new_id": "flip_average", "set_value": False},
            {"new_id": "aspect", "set_value": "keep"},
            {"new_id": "picture_size", "set_value": "as the image"},
            {"new_id": "raw_precision", "set_value": "float32"},
        ],
        output_mapping=[{"new_idx": 1, "old_idx": 0}],
    )
    return [*by_name, midas, loader, estimate]


async def register() -> None:
    """Register the replacements with the server, if there is one (not in tests and tools)."""
    registry = getattr(ComfyAPI(), "node_replacement", None)  # not in lighter hosts
    if running.prompt_server() is None or registry is None:
        return
    for replacement in replacements():
        await registry.register(replacement)
