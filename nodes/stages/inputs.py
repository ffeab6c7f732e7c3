"""Inputs of Visualize Stages."""

from typing import Any

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from ...dpt_core.render import COLORMAPS
from ...dpt_core.stages.feature_map import AttentionQuery, FeatureName
from ...dpt_core.stages.pictures import Visualization
from ..types import DptModel

FEATURES: dict[str, FeatureName] = {
    "stages": "stages",
    "patch tokens": "patches",
    "one block": "block",
    "all blocks": "blocks",
    "attention": "attention",
    "positions": "positions",
    "reassembled maps": "reassembled",
    "fused maps": "fused",
    "head maps": "head",
    "depth": "depth",
}
BLOCK_NORMS = "block norms"  # a plot, not maps
VISUALIZATIONS: dict[str, Visualization] = {
    "PCA": "pca",
    "similarity": "similarity",
    "clusters": "clusters",
    "norm": "norm",
    "mean": "mean",
    "channel": "channel",
}
QUERIES: dict[str, AttentionQuery] = {"point": "point", "average": "average", "cls token": "cls"}


def stage_inputs() -> list[Any]:
    """All inputs, in the order in which the node shows them."""
    return [
        DptModel.Input("model", tooltip="The depth model from Load DPT Checkpoint."),
        io.Image.Input(
            "image",
            tooltip="One image or a batch. All images of a batch share their colours.",
        ),
        _features(),
        _visualization(),
        *_point(),
        *_drawing(),
        io.Int.Input(
            "resolution",
            default=0,
            min=0,
            max=8192,
            advanced=True,
            tooltip="As in Estimate Depth: 0 is the resolution the model was trained for.",
        ),
        *_ablation(),
        io.Int.Input(
            "tile_width",
            default=360,
            min=120,
            max=2048,
            advanced=True,
            tooltip="Width in pixels of each picture on the contact sheet.",
        ),
        io.Boolean.Input(
            "explorer",
            default=True,
            advanced=True,
            tooltip=(
                "Keep the tokens of the first image for the explorer below the node. They are "
                "sent to the browser only while it is open, and are not saved in the workflow."
            ),
        ),
    ]


def _features() -> Any:
    block = io.Int.Input(
        "block",
        default=0,
        min=0,
        max=64,
        tooltip="Which transformer block, counted from 1. 0 is the last.",
    )
    head = io.Int.Input(
        "head",
        default=0,
        min=0,
        max=64,
        tooltip="Which attention head, counted from 1. 0 averages all heads.",
    )
    query = io.Combo.Input(
        "query",
        options=list(QUERIES),
        tooltip=(
            "Whose attention to show: that of the patch at x, y; the average over all patches; "
            "or that of the cls token (Swin has none)."
        ),
    )
    extra = {"one block": [block], "attention": [block, head, query], "positions": [block]}
    return io.DynamicCombo.Input(
        "features",
        options=[
            io.DynamicCombo.Option(key, extra.get(key, [])) for key in (*FEATURES, BLOCK_NORMS)
        ],
        tooltip=(
            "Which part of the network to show. Patch tokens pass through the transformer "
            "blocks of four stages; each stage is reassembled into a map; the maps are fused "
            "from coarse to fine; the head turns the last one into depth."
        ),
    )


def _visualization() -> Any:
    shared_fit = io.Boolean.Input(
        "shared_fit",
        default=False,
        tooltip=(
            "Fit all maps at once, so that a colour means the same in each of them. The maps "
            "need the same number of channels. The images of a batch always share a fit."
        ),
    )
    clusters = io.Int.Input("clusters", default=6, min=2, max=12, tooltip="How many clusters.")
    channel = io.Int.Input(
        "channel", default=0, min=0, max=8191, tooltip="Which channel, counted from 0."
    )
    extra = {"PCA": [shared_fit], "clusters": [clusters, shared_fit], "channel": [channel]}
    return io.DynamicCombo.Input(
        "visualization",
        options=[io.DynamicCombo.Option(key, extra.get(key, [])) for key in VISUALIZATIONS],
        tooltip=(
            "How to draw maps of many channels. PCA: three principal components as red, green "
            "and blue, so similar features have similar colours. similarity: cosine similarity "
            "to the cell at x, y. clusters: k-means. Maps of one channel, such as attention "
            "and depth, are drawn as they are."
        ),
    )


def _point() -> list[Any]:
    sides = {"x": "left (0) to right (1)", "y": "top (0) to bottom (1)"}
    return [
        io.Float.Input(
            axis,
            default=0.5,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip=f"The point for similarity, attention and positions, from {ends}.",
        )
        for axis, ends in sides.items()
    ]


def _drawing() -> list[Any]:
    return [
        io.Combo.Input(
            "colormap",
            options=list(COLORMAPS),
            default="viridis",
            tooltip="Colours of depth and of maps that have one number for each cell.",
        ),
        io.Combo.Input(
            "map_size",
            options=["map", "image"],
            tooltip=(
                "Size of the maps output. map: the size of the largest map shown; image: the "
                "size of the input image."
            ),
        ),
        io.Combo.Input(
            "resampling",
            options=["nearest", "bilinear"],
            tooltip="How maps are enlarged: nearest keeps each cell a square, bilinear blends.",
        ),
    ]


def _ablation() -> list[Any]:
    stages = [
        io.Float.Input(
            f"stage_{number}",
            default=1.0,
            min=0.0,
            max=10.0,
            step=0.05,
            advanced=True,
            tooltip=(
                f"Ablation: the factor for stage {number} ({fineness}) where it enters the "
                "fusion. 1 keeps it as it is, 0 leaves it out, more than 1 exaggerates it. The "
                "depth output changes too."
            ),
        )
        for number, fineness in enumerate(("finest", "fine", "coarse", "coarsest"), start=1)
    ]
    skip_block = io.Int.Input(
        "skip_block",
        default=0,
        min=0,
        max=64,
        advanced=True,
        tooltip="Ablation: leave out this transformer block, counted from 1. 0 skips none.",
    )
    return [*stages, skip_block]
