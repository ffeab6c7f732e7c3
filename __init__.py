"""DPT Depth, a node pack for ComfyUI: the names that ComfyUI looks for, and nothing else."""

from .nodes import comfy_entrypoint

WEB_DIRECTORY = "web"

__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
