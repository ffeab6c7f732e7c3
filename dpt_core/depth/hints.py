"""What the weights cannot say, and where each answer comes from.

V1 and V2 of Depth Anything have the same keys and shapes but tap different blocks; a
metric model differs from a relative one in its last activation alone. The first source
that answers wins: argument, ``config.json`` beside the file, the file's metadata, the
file's name and its folder's, a named default. The answer carries its evidence.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import CheckpointError

T = TypeVar("T")

VARIANTS = ("v1", "v2")
INDOOR_METRES = 20.0  # Hypersim
OUTDOOR_METRES = 80.0  # Virtual KITTI


@dataclass(frozen=True)
class Hint(Generic[T]):
    """An answer that is not in the weights.

    Attributes:
        name: the question, ``"variant"`` or ``"max_depth"``.
        value: the answer.
        evidence: where it comes from, in words for the user.
        is_default: nothing spoke for it: it is the usual case.
    """

    name: str
    value: T
    evidence: str
    is_default: bool = False


@dataclass(frozen=True)
class Surroundings:
    """All that may hold a hint: the file's path, its metadata, and a config.json beside it."""

    path: Path
    metadata: dict[str, str]
    sidecar: dict[str, Any]

    @classmethod
    def of(cls, path: Path, metadata: dict[str, str]) -> "Surroundings":
        """Read the config.json beside `path`, if there is one."""
        return cls(path, metadata, _read_sidecar(path.with_name("config.json")))

    @property
    def names(self) -> list[str]:
        """The file's name and its two folders', nearest first, as given by the user."""
        return [self.path.stem, *(part.name for part in list(self.path.parents)[:2])]


def find_variant(around: Surroundings, given: str | None, blocks: int, v2_depths: Any) -> Hint[str]:
    """``"v1"`` or ``"v2"`` of Depth Anything.

    Raises:
        CheckpointError: the answer given is neither, or does not go with the block count.
    """
    if given is not None:
        if given not in VARIANTS:
            raise CheckpointError(f"variant is {given!r}; it must be 'v1', 'v2' or None.")
        hint = Hint("variant", given, "chosen by the user")
    elif blocks not in v2_depths:
        return Hint("variant", "v1", f"V2 has no encoder of {blocks} blocks")
    else:
        hint = (
            _variant_in_sidecar(around, blocks)
            or _variant_in_metadata(around)
            or _variant_in_names(around)
            or Hint("variant", "v2", "nothing says V1 or V2; V2 is the usual one", is_default=True)
        )
    if hint.value == "v2" and blocks not in v2_depths:
        known = ", ".join(str(depth) for depth in v2_depths)
        raise CheckpointError(
            f"{around.path.name} has {blocks} blocks, and Depth Anything V2 is defined for "
            f"{known} only. Choose variant 'v1' or leave the choice open."
        )
    return hint


def find_max_depth(around: Surroundings, given: float | None) -> Hint[float | None]:
    """Metres at the far end of a metric model, or None for a relative one.

    Raises:
        CheckpointError: the number given is not positive.
    """
    if given is not None:
        if not 0 < given < float("inf"):
            raise CheckpointError(f"max_depth is {given}; it must be a number of metres above 0.")
        return Hint("max_depth", float(given), "chosen by the user")
    return (
        _max_depth_in_sidecar(around)
        or _max_depth_in_metadata(around)
        or _max_depth_in_names(around)
        or Hint("max_depth", None, "nothing says metric; relative is the usual one", True)
    )


def _variant_in_sidecar(around: Surroundings, blocks: int) -> Hint[str] | None:
    backbone = around.sidecar.get("backbone_config")
    taps = backbone.get("out_indices") if isinstance(backbone, dict) else None
    if not isinstance(taps, list):
        return None
    last_four = list(range(blocks - 3, blocks + 1))  # 1-based there
    variant = "v1" if taps == last_four else "v2"
    return Hint("variant", variant, f"config.json taps blocks {taps}")


def _variant_in_metadata(around: Surroundings) -> Hint[str] | None:
    for key, value in around.metadata.items():
        if variant := _variant_in(value):
            return Hint("variant", variant, f"the file's metadata says {key} = {value[:60]!r}")
    return None


def _variant_in_names(around: Surroundings) -> Hint[str] | None:
    for name in around.names:
        if variant := _variant_in(name):
            return Hint("variant", variant, f"the name {name!r}")
    return None


def _variant_in(text: str) -> str | None:
    text = text.lower()
    if re.search(r"depth[-_ ]?anything[-_ ]?(ac[-_ ])?v?2|distill[-_ ]?any[-_ ]?depth", text):
        return "v2"
    if re.search(r"depth[-_ ]?anything([-_ ]?v1|[-_ ]?vit[sblg]14|[-_ ](small|base|large))", text):
        return "v1"
    return None


def _max_depth_in_sidecar(around: Surroundings) -> Hint[float | None] | None:
    kind = around.sidecar.get("depth_estimation_type")
    metres = around.sidecar.get("max_depth")
    if kind == "metric" and isinstance(metres, int | float) and metres > 0:
        return Hint("max_depth", float(metres), f"config.json says metric, {metres} m")
    if kind == "relative":
        return Hint("max_depth", None, "config.json says relative")
    return None


def _max_depth_in_metadata(around: Surroundings) -> Hint[float | None] | None:
    text = around.metadata.get("max_depth", "")
    if re.fullmatch(r"\d+(\.\d+)?", text) and float(text) > 0:
        return Hint("max_depth", float(text), f"the file's metadata says max_depth = {text}")
    return None


def _max_depth_in_names(around: Surroundings) -> Hint[float | None] | None:
    for name in around.names:
        text = name.lower()
        if "hypersim" in text or ("metric" in text and "indoor" in text):
            return Hint("max_depth", INDOOR_METRES, f"the name {name!r} (Hypersim, indoor)")
        if "vkitti" in text or ("metric" in text and "outdoor" in text):
            return Hint("max_depth", OUTDOOR_METRES, f"the name {name!r} (VKITTI, outdoor)")
        if _variant_in(name):
            return Hint("max_depth", None, f"the name {name!r} does not say metric")
    return None


def _read_sidecar(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        # A config.json that cannot be read is no evidence; many folders hold strangers' files.
        return {}
    # Another model's config.json is no evidence either.
    is_ours = isinstance(content, dict) and content.get("model_type") in ("depth_anything", "dpt")
    return content if is_ours else {}
