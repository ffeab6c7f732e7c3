"""The types of our own that travel between nodes."""

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

DptModel = io.Custom("DPT_MODEL")  # host.HostedModel
DptDepth = io.Custom("DPT_DEPTH")  # dpt_core.Depth: raw values B×H×W float32, and their kind
DptSam = io.Custom("DPT_SAM")  # host.HostedSam
