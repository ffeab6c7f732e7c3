"""The model folders: where checkpoints are looked for and what they are listed as."""

import os
from contextlib import suppress
from pathlib import Path

import folder_paths  # pyright: ignore[reportMissingImports]

from ...dpt_core.demo import DEMO_CHECKPOINT

DEPTH = "dpt"  # the key in folder_paths, and our own folder in models/
# Where other packs and ComfyUI itself keep depth models: folder keys, and folders in models/.
RELATED = ("depthanything", "depth_anything", "midas", "geometry_estimation")
SAM = "sams"  # the key and the folder that other packs use for Segment Anything, too
DEMO = "demo (small, comes with DPT Depth)"  # how the package's own checkpoint is listed
SUFFIXES = {".safetensors", ".sft", ".pth", ".pt", ".bin", ".ckpt"}

AUX_CHECKPOINTS = Path("comfyui_controlnet_aux", "ckpts")  # in custom_nodes; never written to
AUX_WORDS = ("depth", "midas", "dpt")  # that folder also holds pose and line detectors


def register() -> None:
    """Register the folders of depth models and of Segment Anything."""
    register_depth()
    register_sam()


# ---- depth models


def register_depth() -> None:
    """Make the folder key ``dpt`` cover every place where depth checkpoints are kept.

    Paths from extra_model_paths.yaml, for our key or a related one, are already in the registry;
    other packs may add theirs later, and calling this again picks those up.
    """
    registry = folder_paths.folder_names_and_paths
    own, *related = (os.path.join(folder_paths.models_dir, name) for name in (DEPTH, *RELATED))
    ours = registry.get(DEPTH, ([], set()))[0]
    others = [path for key in RELATED for path in registry.get(key, ([], set()))[0]]
    # The suffixes must be set as well: a key that only a YAML file added has none, and then
    # lists every file.
    registry[DEPTH] = (list(dict.fromkeys([own, *ours, *others, *related])), SUFFIXES)
    with suppress(OSError):  # a read-only models/ simply lacks the folder
        os.makedirs(own, exist_ok=True)


def depth_folder() -> Path:
    """Where a new depth checkpoint belongs: models/dpt."""
    return Path(folder_paths.models_dir, DEPTH)


def list_depth_checkpoints() -> list[str]:
    """The files to choose from, as paths within their folders; the package's own comes last."""
    register_depth()
    names = [*folder_paths.get_filename_list(DEPTH), *_aux_checkpoints(), DEMO]
    return list(dict.fromkeys(names))


def find_depth_checkpoint(name: str) -> Path | None:
    """The file behind a name of `list_depth_checkpoints`, or None if it no longer exists."""
    register_depth()
    if name == DEMO:
        return DEMO_CHECKPOINT
    path = folder_paths.get_full_path(DEPTH, name)
    return Path(path) if path is not None else _aux_checkpoints().get(name)


def _aux_checkpoints() -> dict[str, Path]:
    """Depth checkpoints that ControlNet Aux has downloaded, by name."""
    found: dict[str, Path] = {}
    for packs in folder_paths.get_folder_paths("custom_nodes"):
        folder = packs / AUX_CHECKPOINTS
        names, _ = folder_paths.recursive_search(str(folder), [".git", ".cache"])
        for name in folder_paths.filter_files_extensions(names, SUFFIXES):
            if any(word in name.lower() for word in AUX_WORDS):
                found.setdefault(name, folder / name)
    return found


# ---- Segment Anything


def register_sam() -> None:
    """Make sure that the folder key ``sams`` exists and covers models/sams.

    Other packs use the key as well: their paths and file types stay as they are.
    """
    registry = folder_paths.folder_names_and_paths
    paths, suffixes = registry.get(SAM, ([], set(SUFFIXES)))
    registry[SAM] = (list(dict.fromkeys([*paths, str(sam_folder())])), suffixes)
    with suppress(OSError):
        sam_folder().mkdir(parents=True, exist_ok=True)


def sam_folder() -> Path:
    """Where a new Segment Anything checkpoint belongs: models/sams."""
    return Path(folder_paths.models_dir, SAM)


def list_sam_checkpoints() -> list[str]:
    """The Segment Anything files to choose from, as paths within their folders."""
    register_sam()
    names = folder_paths.get_filename_list(SAM)
    return list(folder_paths.filter_files_extensions(names, SUFFIXES))


def find_sam_checkpoint(name: str) -> Path | None:
    """The file behind a name of `list_sam_checkpoints`, or None if it no longer exists."""
    register_sam()
    path = folder_paths.get_full_path(SAM, name)
    return None if path is None else Path(path)
