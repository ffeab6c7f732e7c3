"""The nodes, in ComfyUI's V3 schema."""

from comfy_api.latest import ComfyExtension, io  # pyright: ignore[reportMissingImports]

from . import host, replacements
from .align_depth import AlignDepth, RemovePlane
from .depth_map import DepthMap
from .estimate_depth import EstimateDepth
from .estimate_detail import EstimateDetail
from .geometry import DepthToGeometry, GeometryToDepth
from .load_checkpoint import LoadCheckpoint
from .render_depth import RenderDepth
from .sam_depth import DepthMask, SegmentByDepth
from .sam_everything import SegmentEverything
from .sam_load import LoadSAM
from .sam_segment import Segment
from .visualize_stages import VisualizeStages


class DPTDepth(ComfyExtension):
    """Depth from any DPT-style checkpoint."""

    async def on_load(self) -> None:
        """Register the model folders, before any node lists its files, and the replacements."""
        host.register_folders()
        await replacements.register()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Every node of the pack."""
        return [
            LoadCheckpoint,
            EstimateDepth,
            EstimateDetail,
            DepthMap,
            RenderDepth,
            VisualizeStages,
            DepthToGeometry,
            GeometryToDepth,
            AlignDepth,
            RemovePlane,
            LoadSAM,
            Segment,
            SegmentEverything,
            DepthMask,
            SegmentByDepth,
        ]


async def comfy_entrypoint() -> DPTDepth:
    """What ComfyUI calls when it loads the pack."""
    return DPTDepth()
