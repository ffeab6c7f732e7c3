"""What the weights cannot say, and where each answer comes from.

V1 and V2 of Depth Anything have the same keys and shapes but tap different blocks; a
metric model differs from a relative one in its last activation alone; Swin V2's windows
leave no trace in most layouts. The first source that answers wins: argument, the hash of a
published file, ``config.json`` beside the file, the file's metadata, its name and its
folders', a named default. The answer carries its evidence.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeGuard, TypeVar

from ..errors import CheckpointError
from .config import Four
from .surroundings import Surroundings

T = TypeVar("T")

VARIANTS = ("v1", "v2")
INDOOR_METRES = 20.0  # Hypersim
OUTDOOR_METRES = 80.0  # Virtual KITTI
SHORTEST_METRES, LONGEST_METRES = 1e-3, 1e6  # of a max_depth that a file may claim
LARGEST_WINDOW = 1024  # tokens
CHOSEN = "chosen by the user"


@dataclass(frozen=True)
class Hint(Generic[T]):
    """An answer that is not in the weights.

    Attributes:
        name: the question, such as ``"variant"`` or ``"max_depth"``.
        value: the answer.
        evidence: where it comes from, in words for the user.
        is_default: nothing spoke for it: it is the usual case.
    """

    name: str
    value: T
    evidence: str
    is_default: bool = False


@dataclass(frozen=True)
class Requests:
    """What the user asked for; None leaves a choice open."""

    variant: str | None = None
    max_depth: float | None = None
    pretrained_window: int | Sequence[int] | None = None


def find_variant(
    around: Surroundings, asked: Requests, blocks: int, v2_depths: Collection[int]
) -> Hint[str]:
    """``"v1"`` or ``"v2"`` of Depth Anything.

    Raises:
        CheckpointError: the answer asked for is neither, or does not go with the block count.
    """
    if asked.variant is not None:
        if asked.variant not in VARIANTS:
            raise CheckpointError(f"variant is {asked.variant!r}; it must be 'v1' or 'v2'.")
        if asked.variant == "v2" and blocks not in v2_depths:
            known = ", ".join(str(depth) for depth in v2_depths)
            raise CheckpointError(
                f"{around.file} has {blocks} blocks, and Depth Anything V2 is defined for "
                f"{known} only. Choose variant 'v1' or leave the choice open."
            )
        return Hint("variant", asked.variant, CHOSEN)
    if blocks not in v2_depths:
        return Hint("variant", "v1", f"V2 has no encoder of {blocks} blocks")
    return (
        _known_variant(around)
        or _variant_in_sidecar(around, blocks)
        or _variant_in_metadata(around)
        or _variant_in_names(around)
        or Hint("variant", "v2", "nothing says which; V2 is the usual one", is_default=True)
    )


def find_max_depth(around: Surroundings, asked: Requests) -> Hint[float | None]:
    """Metres at the far end of a metric model, or None for a relative one.

    Raises:
        CheckpointError: the number asked for is not positive.
    """
    metres = asked.max_depth
    if metres is not None:
        if not 0 < metres < float("inf"):
            raise CheckpointError(f"max_depth is {metres}; it must be a number of metres above 0.")
        return Hint("max_depth", float(metres), CHOSEN)
    return (
        _known_max_depth(around)
        or _max_depth_in_sidecar(around)
        or _max_depth_in_metadata(around)
        or _max_depth_in_names(around)
        or Hint("max_depth", None, "nothing says metric; relative is the usual one", True)
    )


def find_metric_name(around: Surroundings) -> Hint[bool]:
    """Whether a Depth Anything 3 model is the metric one: its name alone tells."""
    for name in around.names:
        text = name.lower()
        if "metric" in text or "mono" in text:
            return Hint("metric", "metric" in text, f"the name {name!r}")
    return Hint("metric", False, "no name says metric; mono is assumed", is_default=True)


def find_window(around: Surroundings, is_tiny: bool) -> Hint[int]:
    """Side of Swin V2's attention window in tokens, where no mask in the file tells."""
    window = around.backbone.get("window_size")
    if _is_window(window) and window > 0:
        return Hint("window", window, f"config.json says {window}")
    for name in around.names:
        if match := re.search(r"swin.*?(256|384)", name.lower()):
            side = int(match[1])
            return Hint("window", side // 16, f"the name {name!r} ({side} pixels)")
    if is_tiny:
        return Hint("window", 16, "a tiny model: 256 pixels is the usual one", is_default=True)
    return Hint("window", 24, "not a tiny model: 384 pixels is the usual one", is_default=True)


def find_pretrained_window(around: Surroundings, asked: Requests, window: int) -> Hint[Four]:
    """Swin V2's windows by stage before fine-tuning, which positions are relative to.

    Raises:
        CheckpointError: what is asked for is neither one number nor four.
    """
    name = "pretrained_window"
    if asked.pretrained_window is not None:
        given = asked.pretrained_window
        sides = (given,) * 4 if isinstance(given, int) else tuple(given)
        if len(sides) != 4 or not all(isinstance(side, int) and side >= 0 for side in sides):
            raise CheckpointError(
                f"pretrained_window is {given!r}; it must be one whole number, or one for each "
                "of the four stages (0: the window itself)."
            )
        return Hint(name, (sides[0], sides[1], sides[2], sides[3]), CHOSEN)
    listed = around.backbone.get("pretrained_window_sizes")
    if isinstance(listed, list) and len(listed) == 4 and all(map(_is_window, listed)):
        a, b, c, d = listed
        return Hint(name, (a, b, c, d), f"config.json says {listed}")
    if window == 24:
        return Hint(name, (12, 12, 12, 6), "all published models with a window of 24", True)
    return Hint(name, (0, 0, 0, 0), f"the usual one for a window of {window}", True)


def find_normalisation(
    around: Surroundings,
) -> Hint[tuple[tuple[float, float, float], tuple[float, float, float]]] | None:
    """Mean and std from a ``preprocessor_config.json``; None leaves the family's own."""
    values = []
    for key in ("image_mean", "image_std"):
        listed = around.preprocessor.get(key)
        if not isinstance(listed, list) or len(listed) != 3:
            return None
        least = 0 if key == "image_mean" else 1e-3
        if not all(_is_number(n, least, 10) for n in listed):
            return None
        values.append((float(listed[0]), float(listed[1]), float(listed[2])))
    return Hint("normalisation", (values[0], values[1]), "preprocessor_config.json")


def _is_number(value: object, least: float, most: float) -> TypeGuard[float]:
    """Whether a file's JSON holds a number in a range that makes sense."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return least <= value <= most


def _is_window(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and _is_number(value, 0, LARGEST_WINDOW)


def _known_variant(around: Surroundings) -> Hint[str] | None:
    known = around.known
    if known is None or known.variant is None:
        return None
    return Hint("variant", known.variant, f"known file: {known.name} ({known.licence})")


def _variant_in_sidecar(around: Surroundings, blocks: int) -> Hint[str] | None:
    taps = around.backbone.get("out_indices")  # counted from 1
    if not isinstance(taps, list) or taps[-1:] != [blocks]:
        return None  # both versions tap the last block: these are of another model
    last_four = list(range(blocks - 3, blocks + 1))
    variant = "v1" if taps == last_four else "v2"
    return Hint("variant", variant, f"config.json taps blocks {str(taps)[:60]}")


def _variant_in_metadata(around: Surroundings) -> Hint[str] | None:
    for key, value in around.metadata.items():
        if variant := _variant_in(value):
            return Hint("variant", variant, f"the file's metadata: {key} = {value[:60]!r}")
    return None


def _variant_in_names(around: Surroundings) -> Hint[str] | None:
    for name in around.names:
        if variant := _variant_in(name):
            return Hint("variant", variant, f"the name {name!r}")
    return None


def _variant_in(text: str) -> str | None:
    text = text.lower()
    if re.search(r"depth[-_ ]?anything[-_ ]?(ac[-_ ]?)?v?2|distill[-_ ]?any[-_ ]?depth", text):
        return "v2"
    if re.search(r"depth[-_ ]?anything[-_ ]?(v1|ac|vit[sblg]14|small|base|large)", text):
        return "v2" if re.search(r"anything[-_ ]?ac", text) else "v1"
    return None


def _known_max_depth(around: Surroundings) -> Hint[float | None] | None:
    known = around.known
    if known is None or known.variant is None:
        return None
    return Hint("max_depth", known.max_depth, f"known file: {known.name}")


def _max_depth_in_sidecar(around: Surroundings) -> Hint[float | None] | None:
    kind = around.sidecar.get("depth_estimation_type")
    metres = around.sidecar.get("max_depth")
    if kind == "metric" and _is_number(metres, SHORTEST_METRES, LONGEST_METRES):
        return Hint("max_depth", float(metres), f"config.json says metric, {metres} m")
    if kind == "relative":
        return Hint("max_depth", None, "config.json says relative")
    return None


def _max_depth_in_metadata(around: Surroundings) -> Hint[float | None] | None:
    text = around.metadata.get("max_depth", "")
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) and float(text) > 0:
        return Hint("max_depth", float(text), f"the file's metadata: max_depth = {text}")
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
