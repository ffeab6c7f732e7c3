"""What the weights cannot say, and where each answer comes from.

V1 and V2 of Depth Anything have the same keys and shapes but tap different blocks; a
metric model differs from a relative one in its last activation alone; Swin V2's windows
leave no trace in most layouts. The first source that answers wins: argument, the hash of a
published file, ``config.json`` beside the file, the file's metadata, its name and its
folders', a named default. The answer carries its evidence.
"""

import re
from collections.abc import Collection
from typing import TypeGuard

from ..checkpoint.context import FileContext
from ..checkpoint.hints import CHOSEN, Hint, Overrides
from ..errors import CheckpointError
from .config import Four

VARIANTS = ("v1", "v2")
INDOOR_METRES = 20.0  # Hypersim
OUTDOOR_METRES = 80.0  # Virtual KITTI
SHORTEST_METRES, LONGEST_METRES = 1e-3, 1e6  # of a max_depth that a file may claim
LARGEST_WINDOW = 1024  # tokens


def find_variant(
    context: FileContext, overrides: Overrides, blocks: int, v2_depths: Collection[int]
) -> Hint[str]:
    """``"v1"`` or ``"v2"`` of Depth Anything.

    Raises:
        CheckpointError: the chosen answer is neither, or does not go with the block count.
    """
    if overrides.variant is not None:
        if overrides.variant not in VARIANTS:
            raise CheckpointError(f"variant is {overrides.variant!r}; it must be 'v1' or 'v2'.")
        if overrides.variant == "v2" and blocks not in v2_depths:
            known = ", ".join(str(depth) for depth in v2_depths)
            raise CheckpointError(
                f"{context.file} has {blocks} blocks, and Depth Anything V2 is defined for "
                f"{known} only. Choose variant 'v1' or leave the choice open."
            )
        return Hint("variant", overrides.variant, CHOSEN)
    if blocks not in v2_depths:
        return Hint("variant", "v1", f"V2 has no encoder of {blocks} blocks")
    return (
        _published_variant(context)
        or _variant_in_sidecar(context, blocks)
        or _variant_in_metadata(context)
        or _variant_in_names(context)
        or Hint("variant", "v2", "nothing says which; V2 is the usual one", is_default=True)
    )


def find_max_depth(context: FileContext, overrides: Overrides) -> Hint[float | None]:
    """Metres at the far end of a metric model, or None for a relative one.

    Raises:
        CheckpointError: the chosen number is not positive.
    """
    metres = overrides.max_depth
    if metres is not None:
        if not 0 < metres < float("inf"):
            raise CheckpointError(f"max_depth is {metres}; it must be a number of metres above 0.")
        return Hint("max_depth", float(metres), CHOSEN)
    return (
        _published_max_depth(context)
        or _max_depth_in_sidecar(context)
        or _max_depth_in_metadata(context)
        or _max_depth_in_names(context)
        or Hint("max_depth", None, "nothing says metric; relative is the usual one", True)
    )


def find_metric_name(context: FileContext) -> Hint[bool]:
    """Whether a Depth Anything 3 model is the metric one: its name alone tells."""
    for name in context.names:
        text = name.lower()
        if "metric" in text or "mono" in text:
            return Hint("metric", "metric" in text, f"the name {name!r}")
    return Hint("metric", False, "no name says metric; mono is assumed", is_default=True)


def find_window(context: FileContext, is_tiny: bool) -> Hint[int]:
    """Side of Swin V2's attention window in tokens, where no mask in the file tells."""
    window = context.backbone.get("window_size")
    if _is_window(window) and window > 0:
        return Hint("window", window, f"config.json says {window}")
    for name in context.names:
        if match := re.search(r"swin.*?(256|384)", name.lower()):
            side = int(match[1])
            return Hint("window", side // 16, f"the name {name!r} ({side} pixels)")
    if is_tiny:
        return Hint("window", 16, "a tiny model: 256 pixels is the usual one", is_default=True)
    return Hint("window", 24, "not a tiny model: 384 pixels is the usual one", is_default=True)


def find_pretrained_window(context: FileContext, overrides: Overrides, window: int) -> Hint[Four]:
    """Swin V2's windows by stage before fine-tuning, which positions are relative to.

    Raises:
        CheckpointError: what is chosen is neither one number nor four.
    """
    name = "pretrained_window"
    if overrides.pretrained_window is not None:
        given = overrides.pretrained_window
        sides = (given,) * 4 if isinstance(given, int) else tuple(given)
        if len(sides) != 4 or not all(isinstance(side, int) and side >= 0 for side in sides):
            raise CheckpointError(
                f"pretrained_window is {given!r}; it must be one whole number, or one for each "
                "of the four stages (0: the window itself)."
            )
        return Hint(name, (sides[0], sides[1], sides[2], sides[3]), CHOSEN)
    listed = context.backbone.get("pretrained_window_sizes")
    if isinstance(listed, list) and len(listed) == 4 and all(map(_is_window, listed)):
        a, b, c, d = listed
        return Hint(name, (a, b, c, d), f"config.json says {listed}")
    if window == 24:
        return Hint(name, (12, 12, 12, 6), "all published models with a window of 24", True)
    return Hint(name, (0, 0, 0, 0), f"the usual one for a window of {window}", True)


def find_normalisation(
    context: FileContext,
) -> Hint[tuple[tuple[float, float, float], tuple[float, float, float]]] | None:
    """Mean and std from a ``preprocessor_config.json``; None leaves the family's own."""
    values = []
    for key in ("image_mean", "image_std"):
        listed = context.preprocessor.get(key)
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


def _published_variant(context: FileContext) -> Hint[str] | None:
    published = context.published
    if published is None or published.variant is None:
        return None
    return Hint(
        "variant", published.variant, f"published file: {published.name} ({published.licence})"
    )


def _variant_in_sidecar(context: FileContext, blocks: int) -> Hint[str] | None:
    taps = context.backbone.get("out_indices")  # counted from 1
    if not isinstance(taps, list) or taps[-1:] != [blocks]:
        return None  # both versions tap the last block: these are of another model
    last_four = list(range(blocks - 3, blocks + 1))
    variant = "v1" if taps == last_four else "v2"
    return Hint("variant", variant, f"config.json taps blocks {str(taps)[:60]}")


def _variant_in_metadata(context: FileContext) -> Hint[str] | None:
    for key, value in context.metadata.items():
        if variant := _variant_in(value):
            return Hint("variant", variant, f"the file's metadata: {key} = {value[:60]!r}")
    return None


def _variant_in_names(context: FileContext) -> Hint[str] | None:
    for name in context.names:
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


def _published_max_depth(context: FileContext) -> Hint[float | None] | None:
    published = context.published
    if published is None or published.variant is None:
        return None
    return Hint("max_depth", published.max_depth, f"published file: {published.name}")


def _max_depth_in_sidecar(context: FileContext) -> Hint[float | None] | None:
    kind = context.sidecar.get("depth_estimation_type")
    metres = context.sidecar.get("max_depth")
    if kind == "metric" and _is_number(metres, SHORTEST_METRES, LONGEST_METRES):
        return Hint("max_depth", float(metres), f"config.json says metric, {metres} m")
    if kind == "relative":
        return Hint("max_depth", None, "config.json says relative")
    return None


def _max_depth_in_metadata(context: FileContext) -> Hint[float | None] | None:
    text = context.metadata.get("max_depth", "")
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) and float(text) > 0:
        return Hint("max_depth", float(text), f"the file's metadata: max_depth = {text}")
    return None


def _max_depth_in_names(context: FileContext) -> Hint[float | None] | None:
    for name in context.names:
        text = name.lower()
        if "hypersim" in text or ("metric" in text and "indoor" in text):
            return Hint("max_depth", INDOOR_METRES, f"the name {name!r} (Hypersim, indoor)")
        if "vkitti" in text or ("metric" in text and "outdoor" in text):
            return Hint("max_depth", OUTDOOR_METRES, f"the name {name!r} (VKITTI, outdoor)")
        if _variant_in(name):
            return Hint("max_depth", None, f"the name {name!r} does not say metric")
    return None
