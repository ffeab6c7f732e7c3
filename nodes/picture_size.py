"""The size of a depth picture: one input, and what it means."""

from typing import Any

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from ..dpt_core.render import Target, pixel_perfect, to_multiple, to_short_side
from .choices import setting


def size_input(name: str, as_it_is: str, tooltip: str, **options: Any) -> io.DynamicCombo.Input:
    """The input.

    Args:
        name: its id, which `to_target` needs too.
        as_it_is: the choice that changes nothing, the first.
        tooltip: of the input.
        options: of the input.
    """
    return io.DynamicCombo.Input(
        name,
        options=[
            io.DynamicCombo.Option(as_it_is, []),
            io.DynamicCombo.Option("exact", [_side("width"), _side("height"), _fit()]),
            io.DynamicCombo.Option("multiple", [_multiple()]),
            io.DynamicCombo.Option("pixel perfect", [_side("width"), _side("height"), _outer()]),
            io.DynamicCombo.Option("short side", [_short_side()]),
        ],
        tooltip=f"{tooltip} {CHOICES}",
        **options,
    )


CHOICES = (
    "exact: that of the image to generate. multiple: sides that a model can use. pixel perfect: "
    "one pixel for each of the image to generate, aspect kept. short side: what preprocessors call "
    "resolution."
)


def to_target(choice: dict[str, Any], name: str, size: tuple[int, int]) -> Target | None:
    """What the input of that name says for depth of `size`; None: as it is."""
    match choice[name]:
        case "exact":
            wanted = (setting(choice, name, "height"), setting(choice, name, "width"))
            return Target(wanted, setting(choice, name, "fit"))
        case "multiple":
            return Target(to_multiple(size, setting(choice, name, "multiple")), "stretch")
        case "pixel perfect":
            wanted = (setting(choice, name, "height"), setting(choice, name, "width"))
            return Target(pixel_perfect(size, wanted, setting(choice, name, "outer")), "stretch")
        case "short side":
            return Target(to_short_side(size, setting(choice, name, "pixels")), "stretch")
    return None


def _side(name: str) -> io.Int.Input:
    return io.Int.Input(
        name, default=1024, min=1, max=16384, tooltip=f"The {name} in pixels of the image."
    )


def _fit() -> io.Combo.Input:
    return io.Combo.Input(
        "fit",
        options=["crop", "stretch"],
        tooltip="crop keeps the aspect and cuts the sides off, as ComfyUI does with hints.",
    )


def _multiple() -> io.Int.Input:
    return io.Int.Input(
        "multiple",
        default=64,
        min=1,
        max=1024,
        tooltip="Each side goes to the nearest multiple of this.",
    )


def _outer() -> io.Boolean.Input:
    return io.Boolean.Input(
        "outer",
        default=False,
        tooltip="Off: the map covers the image, which then crops it. On: it lies inside.",
    )


def _short_side() -> io.Int.Input:
    return io.Int.Input(
        "pixels",
        default=512,
        min=1,
        max=16384,
        tooltip="The short side in pixels; the aspect is kept.",
    )
