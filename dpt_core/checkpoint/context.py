"""Sources of hints about a checkpoint besides its weights: path, metadata and JSON files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .published import PublishedFile, find_published

WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")


@dataclass(frozen=True)
class FileContext:
    """The path, the file's metadata and the JSON files beside it.

    Attributes:
        path: the file, or the folder as downloaded from Hugging Face.
        metadata: the metadata inside the file.
        sidecar: ``config.json``, if it is a depth model's and this file's; else empty.
        preprocessor: ``preprocessor_config.json``, if there is one; else empty.
    """

    path: Path
    metadata: dict[str, str]
    sidecar: dict[str, Any]
    preprocessor: dict[str, Any]

    @classmethod
    def of(cls, path: Path, metadata: dict[str, str]) -> "FileContext":
        """Gather the context of a checkpoint from its path and the JSON files beside it."""
        folder = path if path.is_dir() else path.parent
        sidecar = _read_json(folder / "config.json")
        is_depth = sidecar.get("model_type") in ("depth_anything", "dpt")
        if not (is_depth and _owns_folder(path)):
            sidecar = {}  # it belongs to another model: many folders hold several
        preprocessor = _read_json(folder / "preprocessor_config.json") if sidecar else {}
        return cls(path, metadata, sidecar, preprocessor)

    @property
    def published(self) -> PublishedFile | None:
        """The published file with exactly these bytes, or None; hashes the file to find out."""
        return find_published(self.path)

    def note(self, name: str) -> Any:
        """An entry of the file's metadata as a JSON value, or else as text; None: there is none."""
        text = self.metadata.get(name, "null")
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text

    @property
    def file(self) -> str:
        """The name of the file or folder, for messages."""
        return self.path.name

    @property
    def path_names(self) -> list[str]:
        """The names of the checkpoint and of the three folders above it, nearest first."""
        own = self.path.name if self.path.is_dir() else self.path.stem
        return [own, *(part.name for part in list(self.path.absolute().parents)[:3])]

    @property
    def backbone_config(self) -> dict[str, Any]:
        """The encoder's part of ``config.json``; empty if there is none."""
        backbone = self.sidecar.get("backbone_config")
        return backbone if isinstance(backbone, dict) else {}


def _owns_folder(path: Path) -> bool:
    """Whether the JSON files in the folder belong to this checkpoint and not to another one."""
    if path.is_dir() or path.stem.startswith(("model", "pytorch_model")):
        return True
    neighbours = (file for file in path.parent.iterdir() if file.suffix in WEIGHT_SUFFIXES)
    return all(file == path for file in neighbours)


def _read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if there is none or it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
