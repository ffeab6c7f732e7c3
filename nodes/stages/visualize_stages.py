"""Visualize Stages: the feature maps of a model as a contact sheet, as images, and to explore."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import Depth, DepthModel
from ...dpt_core.depth.preprocessing import network_size
from ...dpt_core.stages import (
    Ablation,
    FeatureSpec,
    MapStyle,
    block_norms,
    extract_features,
    visualize,
)
from ...dpt_core.stages.contact_sheet import Tile, draw_sheet, resize_rgb, tile_size
from ...dpt_core.stages.explorer import TokenMap, capture_tokens, pack
from ...dpt_core.stages.tiles import depth_tile, map_tiles, norm_tiles, photo_tile
from ..host import memory, models, running
from ..images import channels_first
from ..types import DptDepth
from .inputs import BLOCK_NORMS, FEATURES, QUERIES, VISUALIZATIONS, stage_inputs


class VisualizeStages(io.ComfyNode):
    """Feature maps from inside the network, beside the depth of the same run."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTVisualizeStages",
            display_name="Visualize Stages",
            category="image/geometry estimation",
            description=(
                "Shows the features in each part of a depth model: patch tokens, the four "
                "stages of the encoder, attention, and the decoder's maps. After a run, click "
                "a point in the explorer below the node to see what the model finds similar."
            ),
            search_aliases=[
                "depth anything",
                "attention map",
                "feature visualization",
                "PCA features",
                "dinov2 features",
                "patch similarity",
                "dpt",
                "inspect model",
            ],
            inputs=stage_inputs(),
            outputs=[
                io.Image.Output(
                    display_name="sheet",
                    tooltip="Photograph, maps and depth side by side, one sheet for each image.",
                ),
                io.Image.Output(
                    display_name="maps",
                    tooltip="The maps alone as a batch: all of the first image, then the next.",
                ),
                DptDepth.Output(
                    display_name="depth",
                    tooltip="Raw depth of the same run, as from Estimate Depth.",
                ),
            ],
            is_output_node=True,
            # Without this the explorer's data is not named again when the run is cached.
            has_intermediate_output=True,
        )

    @classmethod
    def execute(
        cls,
        model: models.ManagedDepthModel,
        image: Tensor,
        features: dict[str, Any],
        visualization: dict[str, Any],
        x: float,
        y: float,
        colormap: str,
        map_size: str,
        resampling: Any,
        resolution: int = 0,
        stage_1: float = 1.0,
        stage_2: float = 1.0,
        stage_3: float = 1.0,
        stage_4: float = 1.0,
        skip_block: int = 0,
        tile_width: int = 360,
        explorer: bool = True,
    ) -> io.NodeOutput:
        """Run the images one at a time and draw their feature maps."""
        core = model.model
        images = channels_first(image)
        side = resolution or None
        size = (images.shape[-2], images.shape[-1])
        inside = network_size(size, core.config.image, side)
        needed = memory.depth_working_memory(core.config, size, inside, core.dtype.itemsize)
        options: dict[str, Any] = {
            "resolution": side,
            "ablation": Ablation(
                (stage_1, stage_2, stage_3, stage_4), (skip_block - 1,) if skip_block else ()
            ),
            "progress": running.progress(len(images)),
        }
        title = f"{core.inspection.family} · {features['features']}"
        with (
            models.on_device(model, needed.for_images(1)),
            _explore(core, size, side, explorer) as tokens,
        ):
            if features["features"] == BLOCK_NORMS:
                norms, depth = block_norms(core, images, **options)
                plot_size = tile_size(tile_width, size[1] / size[0])
                frames = [[plot] for plot in norm_tiles(core, norms, plot_size)]
            else:
                maps, depth = extract_features(
                    core,
                    images,
                    _feature_spec(features, (x, y)),
                    **options,
                    max_bytes=0.8 * memory.free_cpu_memory(),
                )
                style = _map_style(visualization, (x, y), colormap)
                frames = map_tiles(visualize(maps, style), style)
                if any(m.values.shape[1] > 1 for m in maps):
                    title += f" · {visualization['visualization']}"

        is_depth = FEATURES.get(features["features"]) == "depth"
        sheets = None
        for number, frame in enumerate(frames):
            running.stop_if_interrupted()
            tiles = [photo_tile(images[number], frame), *frame]
            if not is_depth:
                tiles.append(depth_tile(depth.frame(number), colormap))
            sheet = draw_sheet(title, tiles, size[1] / size[0], tile_width, resampling)
            if sheets is None:
                sheets = running.empty_result((len(frames), *sheet.shape))
            sheets[number] = sheet

        ui = _explorer_ui(core, images[0], depth, tokens, colormap) if tokens else {}
        batch = _map_batch(frames, size if map_size == "image" else None, resampling)
        return io.NodeOutput(sheets, batch, depth, ui=ui)


def _feature_spec(features: dict[str, Any], point: tuple[float, float]) -> FeatureSpec:
    return FeatureSpec(
        FEATURES[features["features"]],
        block=_to_index(features.get("block", 0)),
        head=_to_index(features.get("head", 0)),
        query=QUERIES[features.get("query", "point")],
        point=point,
    )


def _to_index(number: int) -> int | None:
    """Counted from 1, 0 for the default → counted from 0, None for the default."""
    return number - 1 if number else None


def _map_style(
    visualization: dict[str, Any], point: tuple[float, float], colormap: str
) -> MapStyle:
    return MapStyle(
        VISUALIZATIONS[visualization["visualization"]],
        shared_fit=visualization.get("shared_fit", False),
        channel=visualization.get("channel", 0),
        clusters=visualization.get("clusters", 6),
        point=point,
        colormap=colormap,
    )


@contextmanager
def _explore(
    model: DepthModel, size: tuple[int, int], resolution: int | None, enabled: bool
) -> Iterator[Sequence[TokenMap]]:
    """Capture the tokens for the explorer, if it is enabled."""
    if not enabled:
        yield ()
        return
    with capture_tokens(model, size, resolution) as tokens:
        yield tokens


def _explorer_ui(
    model: DepthModel, image: Tensor, depth: Depth, tokens: Sequence[TokenMap], colormap: str
) -> dict[str, Any]:
    """Write the explorer's file, and tell the browser where it is."""
    photo = image.float().clamp(0, 1)
    content = pack(model.inspection.family, photo, depth.frame(0), tokens, colormap)
    return {"dpt_stages": [running.save_temporary("dpt_stages", ".bin", content)]}


def _map_batch(frames: list[list[Tile]], size: tuple[int, int] | None, resampling: Any) -> Tensor:
    """All maps as one batch, at `size` or at the size of the largest map."""
    tiles = [tile for frame in frames for tile in frame]
    if size is None:
        size = max(((t.rgb.shape[0], t.rgb.shape[1]) for t in tiles), key=lambda s: s[0] * s[1])
    batch = running.empty_result((len(tiles), *size, 3))
    for number, tile in enumerate(tiles):
        batch[number] = resize_rgb(tile.rgb.unsqueeze(0), size, resampling)[0].clamp(0, 1)
    return batch
