"""Depth nodes of other packs that ours can stand in for where those are not installed.

ComfyUI offers these to the person who opens a workflow with missing nodes, and applies them to
queued graphs.
"""

from typing import Any

from comfy_api.latest import ComfyAPI, io  # pyright: ignore[reportMissingImports]

from . import host

MIDAS = "dpt_hybrid-midas-501f0c75.pt"  # the only checkpoint of that preprocessor


def replacements() -> list[Any]:
    """What replaces what.

    Outputs are mapped only where their number changes: ComfyUI 0.27 fails on the mapped outputs
    of a node that feeds another replaced one, in an order that differs from start to start.
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
            # It shows the network the image at the size of the result.
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
    """Tell the server; without one (tests, tools) there is nobody to tell."""
    registry = getattr(ComfyAPI(), "node_replacement", None)  # lighter hosts have none
    if host.prompt_server() is None or registry is None:
        return
    for replacement in replacements():
        await registry.register(replacement)
