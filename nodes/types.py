"""The types of the sockets: our own, and ComfyUI's geometry."""

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

DptModel = io.Custom("DPT_MODEL")  # host.models.ManagedDepthModel
DptDepth = io.Custom("DPT_DEPTH")  # dpt_core.Depth: raw values B×H×W float32, and their kind
DptSam = io.Custom("DPT_SAM")  # host.models.ManagedSam

MogeGeometry = io.Custom("MOGE_GEOMETRY")
Da3Geometry = io.Custom("DA3_GEOMETRY")
