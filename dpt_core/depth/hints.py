"""Settings of depth models that the weights do not determine, and the evidence for each.

V1 and V2 of Depth Anything have the same keys and shapes but tap different blocks; a
metric model differs from a relative one only in its last activation; Swin V2's windows
leave no trace in most layouts. The first source with an answer wins: the user's choice, the
hash of a published file, ``config.json`` beside the file, the file's metadata, the names of the
file and its folders, a named default. The answer carries its evidence.
"""

import re
from collections.abc import Collection
from typing import Any, TypeGuard

from ..checkpoint.context import FileContext
from ..checkpoint.hints import CHOSEN, Hint, Overrides
from ..errors import CheckpointError
from .config import Four

VARIANTS = ("v1", "v2")
INDOOR_METRES = 20.0  # Hypersim
OUTDOOR_METRES = 80.0  # Virtual KITTI
MIN_METRES, MAX_METRES = 1e-3, 1e6  # range of a plausible max_depth
MAX_WINDOW = 1024  # tokens
MAX_SIDE = 4 * 64 * MAX_WINDOW  # pixels

Triple = tuple[float, float, float]


def find_variant(
    context: FileContext, overrides: Overrides, blocks: int, v2_depths: Collection[int]
) -> Hint[str]:
    """The variant of a Depth Anything model, ``"v1"`` or ``"v2"``.

    Raises:
        CheckpointError: the chosen variant is neither, or does not exist with this block count.
    """
    name = "variant"
    if overrides.variant is not None:
        if overrides.variant not in VARIANTS:
            raise CheckpointError(f"variant is {overrides.variant!r}; it must be 'v1' or 'v2'.")
        if overrides.variant == "v2" and blocks not in v2_depths:
            depths = ", ".join(str(depth) for depth in v2_depths)
            raise CheckpointError(
                f"{context.file} has {blocks} blocks, but Depth Anything V2 is defined for "
                f"{depths} only. Choose variant 'v1' or leave it unset."
            )
        return Hint(name, overrides.variant, CHOSEN)
    if blocks not in v2_depths:
        return Hint(name, "v1", f"V2 has no encoder of {blocks} blocks")
    published = context.published
    if published is not None and published.variant is not None:
        evidence = f"published file: {published.name} ({published.licence})"
        return Hint(name, published.variant, evidence)
    taps = context.backbone_config.get("out_indices")  # counted from 1
    # Both versions tap the last block: other taps belong to another model.
    if isinstance(taps, list) and taps[-1:] == [blocks]:
        variant = "v1" if taps == list(range(blocks - 3, blocks + 1)) else "v2"
        return Hint(name, variant, f"config.json taps blocks {str(taps)[:60]}")
    if context.note(name) in VARIANTS:
        return Hint(name, context.note(name), _metadata_evidence(context, name))
    for key in context.metadata:
        if variant := _variant_in_name(context.metadata[key]):
            return Hint(name, variant, _metadata_evidence(context, key))
    for text in context.path_names:
        if variant := _variant_in_name(text):
            return Hint(name, variant, f"the name {text!r}")
    return Hint(name, "v2", "no evidence; V2 is assumed", is_default=True)


def find_max_depth(context: FileContext, overrides: Overrides) -> Hint[float | None]:
    """Maximum depth in metres of a metric model, or None for a relative one.

    Raises:
        CheckpointError: the chosen number is not positive, or a name says metric but not how far.
    """
    name = "max_depth"
    metres: Any = overrides.max_depth
    if metres is not None:
        if not 0 < metres < float("inf"):
            raise CheckpointError(f"max_depth is {metres}; it must be a number of metres above 0.")
        return Hint(name, float(metres), CHOSEN)
    published = context.published
    if published is not None and published.variant is not None:
        return Hint(name, published.max_depth, f"published file: {published.name}")
    kind, metres = (context.sidecar.get(key) for key in ("depth_estimation_type", name))
    if kind == "metric" and _is_number(metres, MIN_METRES, MAX_METRES):
        return Hint(name, float(metres), f"config.json says metric, {metres} m")
    if kind == "relative":
        return Hint(name, None, "config.json says relative")
    metres = context.note(name)
    if _is_number(metres, MIN_METRES, MAX_METRES):
        return Hint(name, float(metres), _metadata_evidence(context, name))
    if metres is None and name in context.metadata:
        return Hint(name, None, _metadata_evidence(context, name))
    for text in context.path_names:
        is_metric = _has_word(text, "metric")
        if _has_word(text, "hypersim") or (is_metric and _has_word(text, "indoor")):
            return Hint(name, INDOOR_METRES, f"the name {text!r} (Hypersim, indoor)")
        if _has_word(text, "vkitti") or (is_metric and _has_word(text, "outdoor")):
            return Hint(name, OUTDOOR_METRES, f"the name {text!r} (VKITTI, outdoor)")
        if _variant_in_name(text):
            if is_metric:
                raise CheckpointError(
                    f"{context.file} is a metric model by the name {text!r}, which does not say "
                    f"its maximum depth. Set max_depth: {INDOOR_METRES:g} metres for a model of "
                    f"indoor scenes (Hypersim), {OUTDOOR_METRES:g} for outdoor ones (VKITTI)."
                )
            return Hint(name, None, f"the name {text!r} does not say metric")
    return Hint(name, None, "no evidence of a metric model; relative is assumed", is_default=True)


def find_metric(context: FileContext) -> Hint[bool]:
    """Whether a Depth Anything 3 model is the metric one; only names and metadata say so."""
    name = "metric"
    if isinstance(context.note(name), bool):
        return Hint(name, context.note(name), _metadata_evidence(context, name))
    for text in context.path_names:
        if _has_word(text, "metric") or _has_word(text, "mono|monocular"):
            return Hint(name, _has_word(text, "metric"), f"the name {text!r}")
    return Hint(name, False, "no name says metric; mono is assumed", is_default=True)


def find_window(context: FileContext, is_tiny: bool) -> Hint[int]:
    """Side of Swin V2's attention window in tokens, for a file without attention masks."""
    name = "window"
    window = context.backbone_config.get("window_size")
    if _is_side(window, 1):
        return Hint(name, window, f"config.json says {window}")
    if _is_side(context.note(name), 1):
        return Hint(name, context.note(name), _metadata_evidence(context, name))
    for text in context.path_names:
        if match := re.search(r"swin.*?(256|384)", text.lower()):
            side = int(match[1])
            return Hint(name, side // 16, f"the name {text!r} ({side} pixels)")
    if is_tiny:
        return Hint(name, 16, "a tiny model: 256 pixels are assumed", is_default=True)
    return Hint(name, 24, "not a tiny model: 384 pixels are assumed", is_default=True)


def find_side(context: FileContext, window: int) -> Hint[int]:
    """Side in pixels of the images Swin V2 was trained on, for a file without attention masks."""
    side = context.note("side")
    if _is_side(side, 1, MAX_SIDE):
        return Hint("side", side, _metadata_evidence(context, "side"))
    return Hint("side", 16 * window, "16 windows, as in all published models")


def find_pretrained_window(context: FileContext, overrides: Overrides, window: int) -> Hint[Four]:
    """Swin V2's windows by stage before fine-tuning, which offsets are scaled by.

    Raises:
        CheckpointError: the choice is neither one number nor four.
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
    listed = context.backbone_config.get("pretrained_window_sizes")
    for sides, evidence in (
        (listed, f"config.json says {listed}"),
        (context.note(name), _metadata_evidence(context, name)),
    ):
        if isinstance(sides, list) and len(sides) == 4 and all(map(_is_side, sides)):
            a, b, c, d = sides
            return Hint(name, (a, b, c, d), evidence)
    if window == 24:
        return Hint(name, (12, 12, 12, 6), "as in all published models with a window of 24", True)
    return Hint(name, (0, 0, 0, 0), f"the usual value for a window of {window}", True)


def find_normalisation(context: FileContext) -> Hint[tuple[Triple, Triple]] | None:
    """Mean and std from a ``preprocessor_config.json``; None keeps those of the family."""
    name = "normalisation"
    listed = [context.preprocessor.get(key) for key in ("image_mean", "image_std")]
    for values, evidence in (
        (listed, "preprocessor_config.json"),
        (context.note(name), _metadata_evidence(context, name)),
    ):
        if isinstance(values, list) and len(values) == 2:
            mean, std = _rgb_triple(values[0], 0), _rgb_triple(values[1], 1e-3)
            if mean is not None and std is not None:
                return Hint(name, (mean, std), evidence)
    return None


def _metadata_evidence(context: FileContext, key: str) -> str:
    """The evidence for an answer from the file's metadata."""
    return f"the file's metadata: {key} = {context.metadata.get(key, '')[:60]}"


def _is_number(value: object, minimum: float, maximum: float) -> TypeGuard[float]:
    """Whether a value from a JSON file is a number in a plausible range."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return minimum <= value <= maximum


def _is_side(value: object, minimum: int = 0, maximum: int = MAX_WINDOW) -> TypeGuard[int]:
    return isinstance(value, int) and _is_number(value, minimum, maximum)


def _rgb_triple(value: object, minimum: float) -> Triple | None:
    """Three numbers from a JSON file, one for each colour; None for anything else."""
    if not isinstance(value, list) or len(value) != 3:
        return None
    if not all(_is_number(number, minimum, 10) for number in value):
        return None
    return float(value[0]), float(value[1]), float(value[2])


def _has_word(text: str, word: str) -> bool:
    """Whether a name has a word, or one of several joined by ``|``; letters may not adjoin it."""
    return re.search(rf"(?<![a-z])({word})(?![a-z])", text.lower()) is not None


def _variant_in_name(text: str) -> str | None:
    text = text.lower()
    if re.search(r"distill[-_ ]?any[-_ ]?depth", text):
        return "v2"
    match = re.search(r"depth[-_ ]?anything[-_ ]?(.*)", text)
    if match is None:
        return None
    rest = match[1]  # "v2_vits", "small-v2", "ac_vits", "vitl14", …
    if re.match(r"(ac[-_ ]?)?v?2|ac(?![a-z])", rest) or _has_word(rest, "v2"):
        return "v2"
    return (
        "v1" if re.match(r"vit[sblg]14|small|base|large", rest) or _has_word(rest, "v1") else None
    )
