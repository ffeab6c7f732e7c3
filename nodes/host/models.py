"""Models under ComfyUI's model management: loading, moving to the device, staying loaded."""

import atexit
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import comfy.model_management as management  # pyright: ignore[reportMissingImports]
import comfy.model_patcher  # pyright: ignore[reportMissingImports]
import comfy.ops  # pyright: ignore[reportMissingImports]
import torch

from ...dpt_core import DepthModel, DPTConfig, SamModel, load, load_sam
from ...dpt_core.checkpoint.inspection import Inspection
from ...dpt_core.errors import PrecisionWarning
from ...dpt_core.layers import cpu
from ...dpt_core.layers.relative_bias import BIASES
from .memory import WorkingMemory, has_relative_positions
from .running import stop_if_interrupted, write_on_node

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# What the host may choose from, best first. bfloat16 keeps only 8 bits of precision, which shows
# as steps in depth, so float16 comes first; but BEiT and Swin can overflow in float16.
AUTO_DTYPES = [torch.float16, torch.bfloat16, torch.float32]
AUTO_DTYPES_NO_OVERFLOW = [torch.bfloat16, torch.float32]

ModelT = TypeVar("ModelT", DepthModel, SamModel)


@dataclass(frozen=True)
class Managed(Generic[ModelT]):
    """A model whose weights ComfyUI moves between devices.

    Attributes:
        model: the model; run it inside `on_device`.
        patcher: ComfyUI's handle on its weights, a ModelPatcher.
    """

    model: ModelT
    patcher: Any


ManagedDepthModel = Managed[DepthModel]  # what travels as ``DPT_MODEL``
ManagedSam = Managed[SamModel]  # what travels as ``DPT_SAM``


# ---- loading


def load_depth_model(
    path: Path, precision: str, variant: str | None, max_depth: float | None
) -> ManagedDepthModel:
    """Load a depth checkpoint into ComfyUI's model management.

    Args:
        path: the file.
        precision: a name from `PRECISIONS`, or ``"auto"`` to follow ComfyUI's own choice.
        variant: as for `dpt_core.load`.
        max_depth: as for `dpt_core.load`.

    Raises:
        CheckpointError: the file cannot be used.
    """
    model = load(
        path,
        variant=variant,
        max_depth=max_depth,
        dtype=PRECISIONS.get(precision) or _auto_depth_dtype,
        device=management.unet_offload_device(),
        ops=layers(),
    )
    return _manage(model)


def load_sam_model(path: Path, precision: str) -> ManagedSam:
    """Load a Segment Anything checkpoint into ComfyUI's model management.

    Args:
        path: the file.
        precision: a name from `PRECISIONS`, or ``"auto"`` to follow ComfyUI's own choice.

    Raises:
        CheckpointError: the file cannot be used.
    """
    model = load_sam(
        path,
        dtype=PRECISIONS.get(precision) or _auto_sam_dtype,
        device=management.unet_offload_device(),
        ops=layers(),
    )
    return _manage(model)


def layers() -> Any:
    """The namespace of layers to build models from.

    ComfyUI's own layers move and cast their weights when they are used. A CPU needs neither, and
    the package's layers are faster there.
    """
    return cpu if management.get_torch_device().type == "cpu" else comfy.ops.manual_cast


def _auto_depth_dtype(inspection: Inspection[DPTConfig]) -> torch.dtype:
    overflows = has_relative_positions(inspection.config)
    return _auto_dtype(inspection, AUTO_DTYPES_NO_OVERFLOW if overflows else AUTO_DTYPES)


def _auto_sam_dtype(inspection: Inspection[Any]) -> torch.dtype:
    # Its relative positions are BEiT's, and bfloat16 is precise enough for masks.
    return _auto_dtype(inspection, AUTO_DTYPES_NO_OVERFLOW)


def _auto_dtype(inspection: Inspection[Any], supported: list[torch.dtype]) -> torch.dtype:
    dtype = management.unet_dtype(
        device=management.get_torch_device(),
        model_params=inspection.parameters,
        supported_dtypes=supported,
        weight_dtype=getattr(torch, inspection.dtype),
    )
    # The start options for diffusion models may also ask for float8 or float64.
    return dtype if dtype in PRECISIONS.values() else torch.float32


def _manage(model: ModelT) -> Managed[ModelT]:
    """Hand the weights, which are on the offload device, over to ComfyUI."""
    device = management.get_torch_device()
    for module in model.net.modules():
        if isinstance(module, cpu.Linear | cpu.Conv2d):
            # ComfyUI's layers check by themselves; this makes Cancel work within an image.
            module.register_forward_pre_hook(lambda *_: stop_if_interrupted())
    # Looked up at call time: on some systems ComfyUI replaces the class at start.
    patcher = comfy.model_patcher.CoreModelPatcher(
        model.net, load_device=device, offload_device=management.unet_offload_device()
    )
    return Managed(replace(model, device=device), patcher)


# ---- running


def largest_chunk(managed: Managed[Any], limit: int, memory: WorkingMemory) -> int:
    """Images to run at a time, 1 to `limit`, such that no other model has to leave the device."""
    if limit == 1:
        return 1
    patcher = managed.patcher
    missing_weights = patcher.model_size() - patcher.loaded_size()
    free = patcher.get_free_memory(patcher.load_device) - missing_weights - memory.per_chunk
    return int(min(max(free // memory.per_image, 1), limit))


@contextmanager
def on_device(managed: Managed[Any], working_bytes: int) -> Iterator[None]:
    """Keep the weights, or as many as fit, on the device while the block runs.

    If half precision loses depth in the meantime, the node says so.

    Args:
        managed: the model.
        working_bytes: memory to keep free for the work itself.
    """
    management.load_models_gpu([managed.patcher], memory_required=working_bytes)
    try:
        with _warnings_on_node():
            yield
    finally:
        # ComfyUI does not know what an encoder caches on the device between chunks.
        BIASES.clear()


@contextmanager
def _warnings_on_node() -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PrecisionWarning)
        yield
    for warning in caught:  # they still belong in the log
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    lost = [w.message for w in caught if isinstance(w.message, PrecisionWarning)]
    if lost:  # one for each chunk or tile
        write_on_node(str(PrecisionWarning(sum(w.again for w in lost), lost[0].dtype)))


# ---- staying loaded

CACHED = "dpt_cached"  # (path, fingerprint, model), stored on ComfyUI's record of a loaded model


def load_cached(path: Path, fingerprint: tuple[int, int] | None) -> ManagedDepthModel:
    """Load a depth model with automatic settings, or return the one that `cache` has kept.

    Args:
        path: the file.
        fingerprint: changes when the contents of the file do.

    Raises:
        CheckpointError: the file cannot be used.
    """
    for loaded in management.current_loaded_models:
        cached = getattr(loaded, CACHED, None)
        if cached is not None and cached[:2] == (path, fingerprint):
            return cached[2]
    clear_cache()  # before the next one is loaded, so that two are never in memory
    return load_depth_model(path, "auto", None, None)


def cache(managed: ManagedDepthModel, path: Path, fingerprint: tuple[int, int] | None) -> None:
    """Keep a model that no loader node holds for as long as ComfyUI has it loaded.

    ComfyUI's record of a loaded model refers to it weakly, so the model would be freed with the
    node that loaded it. A reference from the record keeps it. When ComfyUI unloads the model, to
    make room or because the user asks for it, the record goes, and the model with it.
    """
    for loaded in management.current_loaded_models:
        if loaded.model is managed.patcher:
            setattr(loaded, CACHED, (path, fingerprint, managed))


@atexit.register  # a ModelPatcher cannot be freed once half of Python has been torn down
def clear_cache() -> None:
    """Drop the model that `cache` has kept."""
    for loaded in management.current_loaded_models:
        if hasattr(loaded, CACHED):
            delattr(loaded, CACHED)
