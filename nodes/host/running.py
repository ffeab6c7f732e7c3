"""While a node runs: progress, Cancel, text on the node, results and files for the browser."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import comfy.model_management as management  # pyright: ignore[reportMissingImports]
import comfy.utils  # pyright: ignore[reportMissingImports]
import folder_paths  # pyright: ignore[reportMissingImports]
import torch
from torch import Tensor


def compute_device() -> torch.device:
    """Where ComfyUI wants work to be done."""
    return management.get_torch_device()


def progress(total: int) -> Callable[[int, int], None]:
    """A callback (done, total) that moves the node's progress bar and stops on Cancel."""
    stop_if_interrupted()
    bar = comfy.utils.ProgressBar(total)

    def update(done: int, total: int) -> None:
        # The bar skips updates in quick succession, so it cannot be relied on to check.
        stop_if_interrupted()
        bar.update_absolute(done, total)

    return update


def stop_if_interrupted() -> None:
    """Raise ComfyUI's interruption if the user has pressed Cancel."""
    management.throw_exception_if_processing_interrupted()


def empty_result(shape: tuple[int, ...]) -> Tensor:
    """Uninitialised memory for an IMAGE or MASK, with the device and dtype ComfyUI expects."""
    return torch.empty(
        shape, dtype=management.intermediate_dtype(), device=management.intermediate_device()
    )


def write_on_node(text: str) -> None:
    """Show a text on the running node until its next run. Without a server, do nothing."""
    server = prompt_server()
    if server is not None and server.last_node_id is not None:
        server.send_progress_text(text, server.last_node_id)


def prompt_server() -> Any:
    """The running server; None in tests and tools."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)


def save_temporary(name: str, suffix: str, content: bytes) -> dict[str, str]:
    """Write a file that the browser can fetch until ComfyUI ends; return how to ask for it.

    The same content gets the same name, so repeated runs add no files.
    """
    digest = hashlib.blake2b(content, digest_size=12).hexdigest()
    file = Path(folder_paths.get_temp_directory(), f"{name}_{digest}{suffix}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return {"filename": file.name, "subfolder": "", "type": "temp"}
