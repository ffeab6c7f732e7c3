"""The nodes, in ComfyUI's V3 schema."""

from comfy_api.latest import ComfyExtension, io  # pyright: ignore[reportMissingImports]

from . import replacements
from .depth.depth_map import DepthMap
from .depth.depth_mask import DepthMask
from .depth.estimate_depth import EstimateDepth
from .depth.estimate_detail import EstimateDetail
from .depth.render_depth import RenderDepth
from .geometry.align_depth import AlignDepth
from .geometry.depth_to_geometry import DepthToGeometry
from .geometry.geometry_to_depth import GeometryToDepth
from .geometry.remove_plane import RemovePlane
from .host import folders
from .loaders.load_checkpoint import LoadCheckpoint
from .loaders.load_sam import LoadSAM
from .segmentation.segment import Segment
from .segmentation.segment_by_depth import SegmentByDepth
from .segmentation.segment_everything import SegmentEverything
from .stages.visualize_stages import VisualizeStages


class DPTDepth(ComfyExtension):
    """Depth from any DPT-style checkpoint."""

    async def on_load(self) -> None:
        """Register the model folders, before any node lists their files, and the replacements."""
        folders.register()
        await replacements.register()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """All nodes of the pack."""
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
    """The function that ComfyUI calls when it loads the pack."""
    return DPTDepth()
