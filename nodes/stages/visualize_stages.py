"""Visualize Stages: what each part of a model sees, as a sheet, as maps, and to explore."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import DepthModel
from ...dpt_core.depth.preprocessing import network_size
from ...dpt_core.render import COLORMAPS
from ...dpt_core.stages import Ablation, MapStyle, View, block_norms, extract_features, visualize
from ...dpt_core.stages.contact_sheet import Tile, draw_sheet, resize_rgb, tile_size
from ...dpt_core.stages.explorer import Tokens, pack, watch_tokens
from ...dpt_core.stages.features import What
from ...dpt_core.stages.pictures import How
from ...dpt_core.stages.tiles import depth_tile, map_tiles, norm_tiles, one_of, photo_tile
from ..host import memory, models, running
from ..images import channels_first
from ..types import DptDepth, DptModel

VIEWS: dict[str, What] = {
    "stages": "stages",
    "patch tokens": "patches",
    "one block": "block",
    "all blocks": "blocks",
    "attention": "attention",
    "positions": "positions",
    "reassembled maps": "reassembled",
    "fused maps": "fused",
    "head features": "head",
    "depth": "depth",
}
NORMS = "block norms"
WAYS: dict[str, How] = {
    "PCA colors": "pca",
    "similarity": "similarity",
    "regions": "regions",
    "norm": "norm",
    "mean": "mean",
    "channel": "channel",
}
SOURCES: dict[str, Any] = {"the point": "point", "average": "average", "cls token": "cls"}


class VisualizeStages(io.ComfyNode):
    """Maps from inside the network, beside the depth of the same run."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
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
            tooltip="Which attention head, counted from 1. 0 is the average of all heads.",
        )
        source = io.Combo.Input(
            "attention_of",
            options=list(SOURCES),
            tooltip=(
                "Whose attention: that of the patch at x, y; the average over all patches, "
                "which shows what is looked at most; or that of the cls token (not in Swin)."
            ),
        )
        together = io.Boolean.Input(
            "same_colors",
            default=False,
            tooltip=(
                "One fit for all maps of the sheet, so that a color means the same in each. "
                "They need the same number of channels. Within a batch it always does."
            ),
        )
        extra = {
            "one block": [block],
            "attention": [block, head, source],
            "positions": [block],
            "PCA colors": [together],
            "regions": [
                io.Int.Input(
                    "regions", default=6, min=2, max=12, tooltip="How many regions to find."
                ),
                together,
            ],
            "channel": [
                io.Int.Input(
                    "channel",
                    default=0,
                    min=0,
                    max=8191,
                    tooltip="Which channel, counted from 0.",
                )
            ],
        }
        return io.Schema(
            node_id="DPTVisualizeStages",
            display_name="Visualize Stages",
            category="image/geometry estimation",
            description=(
                "Shows what each part of a depth model sees: patch tokens, the four stages of "
                "the encoder, attention, and the decoder's maps on their way to depth. Below "
                "the node, after a run, point at a place to see what the model thinks is like it."
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
            inputs=[
                DptModel.Input("model", tooltip="The depth model from Load DPT Checkpoint."),
                io.Image.Input(
                    "image",
                    tooltip="One image or a batch. A batch shares its colors: no flicker.",
                ),
                io.DynamicCombo.Input(
                    "what",
                    options=[
                        io.DynamicCombo.Option(key, extra.get(key, [])) for key in (*VIEWS, NORMS)
                    ],
                    tooltip=(
                        "Which part to look at, in the order of the network: patch tokens enter "
                        "the blocks of four stages, each stage is reassembled into a map, the "
                        "maps are fused coarse to fine, and the head makes depth of them."
                    ),
                ),
                io.DynamicCombo.Input(
                    "how",
                    options=[io.DynamicCombo.Option(key, extra.get(key, [])) for key in WAYS],
                    tooltip=(
                        "How to show maps of many channels. PCA colors: like colors are like "
                        "vectors. similarity: to the place at x, y. regions: k-means. Attention "
                        "and depth have one channel and are shown as they are."
                    ),
                ),
                io.Float.Input(
                    "x",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="The point's place from left (0) to right (1).",
                ),
                io.Float.Input(
                    "y",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="The point's place from top (0) to bottom (1).",
                ),
                io.Combo.Input(
                    "colormap",
                    options=list(COLORMAPS),
                    default="viridis",
                    tooltip="Colors of what is one number a cell.",
                ),
                io.Combo.Input(
                    "map_size",
                    options=["map", "image"],
                    tooltip=(
                        "Size of the single maps: map is as the network has them (all at the "
                        "size of the finest one shown), image is the size of the input."
                    ),
                ),
                io.Combo.Input(
                    "resampling",
                    options=["nearest", "bilinear"],
                    tooltip="nearest shows the cells as squares, bilinear blends them.",
                ),
                io.Int.Input(
                    "resolution",
                    default=0,
                    min=0,
                    max=8192,
                    advanced=True,
                    tooltip="As in Estimate Depth: 0 is what the model was trained for.",
                ),
                *(
                    io.Float.Input(
                        f"stage_{i + 1}",
                        default=1.0,
                        min=0.0,
                        max=10.0,
                        step=0.05,
                        advanced=True,
                        tooltip=(
                            f"Experiment: how much of stage {i + 1} ({fineness}) enters the "
                            "fusion. 1 is as trained, 0 leaves it out, more overdrives it. The "
                            "depth changes with it."
                        ),
                    )
                    for i, fineness in enumerate(("finest", "fine", "coarse", "coarsest"))
                ),
                io.Int.Input(
                    "skip_block",
                    default=0,
                    min=0,
                    max=64,
                    advanced=True,
                    tooltip="Experiment: leave out this transformer block, from 1. 0: none.",
                ),
                io.Int.Input(
                    "tile_width",
                    default=360,
                    min=120,
                    max=2048,
                    advanced=True,
                    tooltip="Width of a picture on the sheet in pixels.",
                ),
                io.Boolean.Input(
                    "explorer",
                    default=True,
                    advanced=True,
                    tooltip=(
                        "Keep the first image's tokens for the explorer below the node. They "
                        "are sent to the browser only when it is open, and never saved."
                    ),
                ),
            ],
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
        what: dict[str, Any],
        how: dict[str, Any],
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
        """Run the images one at a time, looking on."""
        core = model.model
        images = channels_first(image)
        side = resolution or None
        point = (x, y)
        changes = Ablation(
            (stage_1, stage_2, stage_3, stage_4), (skip_block - 1,) if skip_block else ()
        )
        shown, way = what["what"], how["how"]
        size = (images.shape[-2], images.shape[-1])
        tile = tile_size(tile_width, size[1] / size[0])
        inside = network_size(size, core.config.image, side)
        needed = memory.depth_working_memory(core.config, size, inside, core.dtype.itemsize)
        options: dict[str, Any] = {
            "resolution": side,
            "changes": changes,
            "progress": running.progress(len(images)),
        }
        with (
            models.on_device(model, needed.for_images(1)),
            _watch(core, size, side, explorer) as tokens,
        ):
            if shown == NORMS:
                norms, depth = block_norms(core, images, **options)
                frames = [[plot] for plot in norm_tiles(core, norms, tile)]
                way_counts = False
            else:
                view = View(
                    VIEWS[shown],
                    block=_from_one(what.get("block", 0)),
                    head=_from_one(what.get("head", 0)),
                    source=SOURCES[what.get("attention_of", "the point")],
                    point=point,
                )
                maps, depth = extract_features(
                    core, images, view, **options, most_bytes=0.8 * memory.free_cpu_memory()
                )
                style = MapStyle(
                    WAYS[way],
                    together=how.get("same_colors", False),
                    channel=how.get("channel", 0),
                    regions=how.get("regions", 6),
                    point=point,
                    colormap=colormap,
                )
                frames = map_tiles(visualize(maps, style), style)
                way_counts = any(stage.values.shape[1] > 1 for stage in maps)

        title = f"{core.inspection.family} · {shown}"
        if way_counts:
            title += f" · {way}"
        sheets = None
        for number, frame in enumerate(frames):
            running.stop_if_interrupted()
            tiles = [photo_tile(images[number], frame), *frame]
            if shown != "depth":
                tiles.append(depth_tile(one_of(depth, number), colormap))
            sheet = draw_sheet(title, tiles, size[1] / size[0], tile_width, resampling)
            if sheets is None:
                sheets = running.empty_result((len(frames), *sheet.shape))
            sheets[number] = sheet

        ui = {}
        if tokens:
            photo = images[0].float().clamp(0, 1)
            content = pack(core.inspection.family, photo, one_of(depth, 0), tokens)
            ui["dpt_stages"] = [running.save_temporary("dpt_stages", ".bin", content)]
        single = _single(frames, size if map_size == "image" else None, resampling)
        return io.NodeOutput(sheets, single, depth, ui=ui)


def _from_one(number: int) -> int | None:
    """Counted from 1, with 0 for no choice → counted from 0, with None."""
    return number - 1 if number else None


@contextmanager
def _watch(
    model: DepthModel, size: tuple[int, int], resolution: int | None, wanted: bool
) -> Iterator[Sequence[Tokens]]:
    if not wanted:
        yield ()
        return
    with watch_tokens(model, size, resolution) as tokens:
        yield tokens


def _single(frames: list[list[Tile]], size: tuple[int, int] | None, resampling: Any) -> Tensor:
    """All maps as one batch, all at `size` or at that of the finest."""
    tiles = [tile for frame in frames for tile in frame]
    if size is None:
        size = max(((t.rgb.shape[0], t.rgb.shape[1]) for t in tiles), key=lambda s: s[0] * s[1])
    batch = running.empty_result((len(tiles), *size, 3))
    for number, tile in enumerate(tiles):
        batch[number] = resize_rgb(tile.rgb.unsqueeze(0), size, resampling)[0].clamp(0, 1)
    return batch
