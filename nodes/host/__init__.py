"""All that the nodes need of ComfyUI: folders, devices, model management, progress.

No other file imports ``comfy`` or ``folder_paths``, so what a new version of the host
changes is changed here.
"""

import atexit
import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import comfy.model_management as management  # pyright: ignore[reportMissingImports]
import comfy.model_patcher  # pyright: ignore[reportMissingImports]
import comfy.ops  # pyright: ignore[reportMissingImports]
import comfy.utils  # pyright: ignore[reportMissingImports]
import folder_paths  # pyright: ignore[reportMissingImports]
import torch
from torch import Tensor

from ...dpt_core import DepthModel, DPTConfig, SamModel, load, load_sam
from ...dpt_core.checkpoint.inspection import Inspection
from ...dpt_core.demo import DEMO_CHECKPOINT
from ...dpt_core.errors import PrecisionWarning
from ...dpt_core.layers import cpu
from ...dpt_core.layers.relative_bias import BiasCache
from .memory import Room, has_relative_positions

FOLDER = "dpt"  # the key in folder_paths, and our own folder in models/
# Where other packs and ComfyUI itself keep depth models: folder keys, and folders in models/.
RELATED_FOLDERS = ("depthanything", "depth_anything", "midas", "geometry_estimation")
SAM_FOLDER = "sams"  # the key, and the folder, that other packs have for Segment Anything too
DEMO = "demo (small, comes with DPT Depth)"  # what the package's own checkpoint is listed as
SUFFIXES = {".safetensors", ".sft", ".pth", ".pt", ".bin", ".ckpt"}

AUX_CHECKPOINTS = Path("comfyui_controlnet_aux", "ckpts")  # in custom_nodes; only read
AUX_WORDS = ("depth", "midas", "dpt")  # that folder holds pose and line detectors too

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# What the host may choose from, best first. bfloat16 has 8 bits of precision, which shows
# as steps in depth, so it comes after float16; but BEiT and Swin can overflow in float16.
AUTO_DTYPES = [torch.float16, torch.bfloat16, torch.float32]
AUTO_DTYPES_WIDE = [torch.bfloat16, torch.float32]


# ---- checkpoints on disk


def register_folders() -> None:
    """Register the folders of depth models and those of Segment Anything."""
    register_depth_folders()
    register_sam_folder()


def register_depth_folders() -> None:
    """Make the folder key ``dpt`` stand for every place where depth checkpoints are kept.

    Paths from extra_model_paths.yaml, for our key or a related one, are in the registry
    already or come in later by other packs; calling this again picks those up.
    """
    registry = folder_paths.folder_names_and_paths
    own, *related = (
        os.path.join(folder_paths.models_dir, name) for name in (FOLDER, *RELATED_FOLDERS)
    )
    known = registry.get(FOLDER, ([], set()))[0]
    others = [path for key in RELATED_FOLDERS for path in registry.get(key, ([], set()))[0]]
    # The suffixes have to be set too: a key that only a YAML file added has none, and lists
    # every file.
    registry[FOLDER] = (list(dict.fromkeys([own, *known, *others, *related])), SUFFIXES)
    with suppress(OSError):  # models/ may be read-only; then the folder is just not there
        os.makedirs(own, exist_ok=True)


def own_folder() -> Path:
    """Where a new checkpoint should go: models/dpt."""
    return Path(folder_paths.models_dir, FOLDER)


def list_checkpoints() -> list[str]:
    """The files to choose from, by their path within their folder; last the package's own."""
    register_depth_folders()
    names = [*folder_paths.get_filename_list(FOLDER), *_aux_checkpoints(), DEMO]
    return list(dict.fromkeys(names))


def find_checkpoint(name: str) -> Path | None:
    """The file that a name of `list_checkpoints` stands for, or None if it is gone."""
    register_depth_folders()
    if name == DEMO:
        return DEMO_CHECKPOINT
    path = folder_paths.get_full_path(FOLDER, name)
    return Path(path) if path is not None else _aux_checkpoints().get(name)


def _aux_checkpoints() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for packs in folder_paths.get_folder_paths("custom_nodes"):
        folder = packs / AUX_CHECKPOINTS
        names, _ = folder_paths.recursive_search(str(folder), [".git", ".cache"])
        for name in folder_paths.filter_files_extensions(names, SUFFIXES):
            if any(word in name.lower() for word in AUX_WORDS):
                found.setdefault(name, folder / name)
    return found


def register_sam_folder() -> None:
    """Make sure that the folder key ``sams`` is there and covers models/sams.

    Other packs use the key as well: their paths, and which files they list, stay as they are.
    """
    registry = folder_paths.folder_names_and_paths
    paths, suffixes = registry.get(SAM_FOLDER, ([], set(SUFFIXES)))
    registry[SAM_FOLDER] = (list(dict.fromkeys([*paths, str(sam_folder())])), suffixes)
    with suppress(OSError):
        sam_folder().mkdir(parents=True, exist_ok=True)


def sam_folder() -> Path:
    """Where a new Segment Anything checkpoint should go: models/sams."""
    return Path(folder_paths.models_dir, SAM_FOLDER)


def list_sam_checkpoints() -> list[str]:
    """The Segment Anything files to choose from, by their path within their folder."""
    register_sam_folder()
    names = folder_paths.get_filename_list(SAM_FOLDER)
    return list(folder_paths.filter_files_extensions(names, SUFFIXES))


def find_sam_checkpoint(name: str) -> Path | None:
    """The file that a name of `list_sam_checkpoints` stands for, or None if it is gone."""
    register_sam_folder()
    path = folder_paths.get_full_path(SAM_FOLDER, name)
    return None if path is None else Path(path)


# ---- models

ModelT = TypeVar("ModelT", DepthModel, SamModel)


@dataclass(frozen=True)
class Hosted(Generic[ModelT]):
    """A model whose weights ComfyUI moves.

    Attributes:
        model: the model; it computes within `on_device`.
        patcher: the host's handle on its weights.
    """

    model: ModelT
    patcher: Any


HostedModel = Hosted[DepthModel]  # what travels as ``DPT_MODEL``
HostedSam = Hosted[SamModel]  # what travels as ``DPT_SAM``


def load_model(
    path: Path, precision: str, variant: str | None, max_depth: float | None
) -> HostedModel:
    """Load a checkpoint into ComfyUI's model management.

    Args:
        path: the file.
        precision: a name of `PRECISIONS`, or ``"auto"`` for the host's rules.
        variant: as for `dpt_core.load`.
        max_depth: as for `dpt_core.load`.

    Raises:
        CheckpointError: the file cannot be used.
    """
    model = load(
        path,
        variant=variant,
        max_depth=max_depth,
        dtype=PRECISIONS.get(precision) or _depth_dtype,
        device=management.unet_offload_device(),
        ops=layers(),
    )
    return _hand_over(model)


def _depth_dtype(facts: Inspection[DPTConfig]) -> torch.dtype:
    wide = has_relative_positions(facts.config)
    return _auto_dtype(facts, AUTO_DTYPES_WIDE if wide else AUTO_DTYPES)


def load_sam_model(path: Path, precision: str) -> HostedSam:
    """Load a Segment Anything checkpoint into ComfyUI's model management.

    Args:
        path: the file.
        precision: a name of `PRECISIONS`, or ``"auto"`` for the host's rules.

    Raises:
        CheckpointError: the file cannot be used.
    """
    # Relative positions, as in BEiT; and masks need no finer steps than bfloat16 has.
    dtype = PRECISIONS.get(precision) or (lambda facts: _auto_dtype(facts, AUTO_DTYPES_WIDE))
    offload = management.unet_offload_device()
    return _hand_over(load_sam(path, dtype=dtype, device=offload, ops=layers()))


def layers() -> Any:
    """What models are made of: ComfyUI's layers move and cast their weights at use.

    A CPU needs neither, and the package's own layers are faster there.
    """
    return cpu if management.get_torch_device().type == "cpu" else comfy.ops.manual_cast


def _hand_over(model: ModelT) -> Hosted[ModelT]:
    """Give the weights, which are on the offload device, to ComfyUI."""
    device = management.get_torch_device()
    for part in model.net.modules():
        if isinstance(part, cpu.Linear | cpu.Conv2d):
            # ComfyUI's layers ask by themselves, so that Cancel works within an image.
            part.register_forward_pre_hook(lambda *_: stop_if_interrupted())
    # Looked up at call time: ComfyUI replaces the class at start on some systems.
    patcher = comfy.model_patcher.CoreModelPatcher(
        model.net, load_device=device, offload_device=management.unet_offload_device()
    )
    return Hosted(replace(model, device=device), patcher)


def _auto_dtype(facts: Inspection[Any], supported: list[torch.dtype]) -> torch.dtype:
    dtype = management.unet_dtype(
        device=management.get_torch_device(),
        model_params=facts.parameters,
        supported_dtypes=supported,
        weight_dtype=getattr(torch, facts.dtype),
    )
    # The start options for diffusion models can ask for float8 or float64 as well.
    return dtype if dtype in PRECISIONS.values() else torch.float32


def fitting_chunk(hosted: Hosted[Any], most: int, room: Room) -> int:
    """Images to a chunk, 1 to `most`: those for which no other model has to leave the device."""
    if most == 1:
        return 1
    patcher = hosted.patcher
    missing_weights = patcher.model_size() - patcher.loaded_size()
    free = patcher.get_free_memory(patcher.load_device) - missing_weights - room.per_chunk
    return int(min(max(free // room.per_image, 1), most))


@contextmanager
def on_device(hosted: Hosted[Any], working_bytes: int) -> Iterator[None]:
    """While in the block, the weights (all that fit) are on the device.

    What half precision lost meanwhile is written on the node.

    Args:
        hosted: the model.
        working_bytes: memory to keep free beside them.
    """
    management.load_models_gpu([hosted.patcher], memory_required=working_bytes)
    try:
        with _warnings_on_node():
            yield
    finally:
        # What an encoder keeps on the device between chunks is nothing the host knows of.
        for module in hosted.model.net.modules():
            cache = getattr(module, "bias_cache", None)
            if isinstance(cache, BiasCache):
                cache.clear()


@contextmanager
def _warnings_on_node() -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PrecisionWarning)
        yield
    for warning in caught:  # for the log, as ever
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    lost = [w.message for w in caught if isinstance(w.message, PrecisionWarning)]
    if lost:  # one for each chunk or part that the work was cut into
        write_on_node(str(PrecisionWarning(sum(w.again for w in lost), lost[0].dtype)))


def write_on_node(text: str) -> None:
    """Show a text on the node that runs, until its next run; nothing where there is no server."""
    server = prompt_server()
    if server is not None and server.last_node_id is not None:
        server.send_progress_text(text, server.last_node_id)


def prompt_server() -> Any:
    """The running server, or None (in tests and tools)."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)


KEPT = "dpt_kept"  # (file, state of it, model): on the host's own record of a model in use


def kept_model(path: Path, state: tuple[int, int] | None) -> HostedModel:
    """As `load_model` with nothing chosen, or the one that `keep_model` has kept.

    Args:
        path: the file.
        state: what tells its contents from those of another time.

    Raises:
        CheckpointError: the file cannot be used.
    """
    for loaded in management.current_loaded_models:
        kept = getattr(loaded, KEPT, None)
        if kept is not None and kept[:2] == (path, state):
            return kept[2]
    let_go()  # before the next is loaded, so that two are never in memory
    return load_model(path, "auto", None, None)


def keep_model(hosted: HostedModel, path: Path, state: tuple[int, int] | None) -> None:
    """Keep a model, for a node to which no other brings it, for as long as the host has it loaded.

    The host's record of a loaded model does not hold the model itself, so that it goes with the
    node that made it. Now it does; and when the host takes the model off the device, to make
    room or because the user asks for it, both go.
    """
    for loaded in management.current_loaded_models:
        if loaded.model is hosted.patcher:
            setattr(loaded, KEPT, (path, state, hosted))


@atexit.register  # the host's handle on a model cannot be freed when half of Python is gone
def let_go() -> None:
    """Keep no model any longer."""
    for loaded in management.current_loaded_models:
        if hasattr(loaded, KEPT):
            delattr(loaded, KEPT)


# ---- files for the browser


def save_temporary(name: str, suffix: str, content: bytes) -> dict[str, str]:
    """Write a file that the browser can ask for until ComfyUI ends, and how to ask for it.

    The same content has the same name, so a repeated run adds no file.
    """
    digest = hashlib.blake2b(content, digest_size=12).hexdigest()
    file = Path(folder_paths.get_temp_directory(), f"{name}_{digest}{suffix}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return {"filename": file.name, "subfolder": "", "type": "temp"}


# ---- running


def free_cpu_memory() -> int:
    """Bytes that can be taken without swapping."""
    return management.get_free_memory(torch.device("cpu"))


def progress(total: int) -> Callable[[int, int], None]:
    """A callback (done, total) that moves the node's bar and ends the work when interrupted."""
    stop_if_interrupted()
    bar = comfy.utils.ProgressBar(total)

    def update(done: int, total: int) -> None:
        # The bar drops updates that follow each other closely, so it cannot be what asks.
        stop_if_interrupted()
        bar.update_absolute(done, total)

    return update


def stop_if_interrupted() -> None:
    """Raise the host's interruption if the user has pressed Cancel."""
    management.throw_exception_if_processing_interrupted()


def empty_result(shape: tuple[int, ...]) -> Tensor:
    """Memory for what leaves a node as IMAGE, where and in the dtype the host wants it."""
    return torch.empty(
        shape, dtype=management.intermediate_dtype(), device=management.intermediate_device()
    )
