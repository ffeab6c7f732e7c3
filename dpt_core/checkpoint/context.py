"""What may hold a hint on a checkpoint beside its weights: its path, notes and JSON files."""

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
        path: the file, or the folder of the Hugging Face kind.
        metadata: the file's own notes.
        sidecar: ``config.json``, if it is of a depth model and this file's; else empty.
        preprocessor: ``preprocessor_config.json``, if there is one; else empty.
    """

    path: Path
    metadata: dict[str, str]
    sidecar: dict[str, Any]
    preprocessor: dict[str, Any]

    @classmethod
    def of(cls, path: Path, metadata: dict[str, str]) -> "FileContext":
        """The context of a checkpoint, from its path and the JSON files beside it."""
        folder = path if path.is_dir() else path.parent
        sidecar = _read_json(folder / "config.json")
        is_depth = sidecar.get("model_type") in ("depth_anything", "dpt")
        if not (is_depth and _owns_folder(path)):
            sidecar = {}  # another model's: many folders hold more than one
        preprocessor = _read_json(folder / "preprocessor_config.json") if sidecar else {}
        return cls(path, metadata, sidecar, preprocessor)

    @property
    def published(self) -> PublishedFile | None:
        """The published file with exactly these bytes, or None; reads the file to hash it."""
        return find_published(self.path)

    def note(self, name: str) -> Any:
        """What the file's own metadata says under a name: a JSON value, or else the text."""
        text = self.metadata.get(name, "null")
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text

    @property
    def file(self) -> str:
        """The name for messages."""
        return self.path.name

    @property
    def path_names(self) -> list[str]:
        """The checkpoint's own name and those of its three folders, nearest first."""
        own = self.path.name if self.path.is_dir() else self.path.stem
        return [own, *(part.name for part in list(self.path.absolute().parents)[:3])]

    @property
    def backbone_config(self) -> dict[str, Any]:
        """The part of ``config.json`` on the encoder."""
        backbone = self.sidecar.get("backbone_config")
        return backbone if isinstance(backbone, dict) else {}


def _owns_folder(path: Path) -> bool:
    """Whether JSON files in its folder belong to this checkpoint, and not to others there."""
    if path.is_dir() or path.stem.startswith(("model", "pytorch_model")):
        return True
    beside = (file for file in path.parent.iterdir() if file.suffix in WEIGHT_SUFFIXES)
    return all(file == path for file in beside)


def _read_json(path: Path) -> dict[str, Any]:
    """The table in a JSON file; empty if there is none or it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
