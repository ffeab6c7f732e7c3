"""The size of a depth picture: one input, and what it means."""

from typing import Any

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from ...dpt_core.render import Target, pixel_perfect, to_multiple, to_short_side
from ..choices import setting


def size_input(
    name: str, as_it_is: str, tooltip: str, advanced: bool = False
) -> io.DynamicCombo.Input:
    """The input.

    Args:
        name: its id, which `to_target` needs too.
        as_it_is: the choice that changes nothing, the first.
        tooltip: of the input.
        advanced: it and its settings are optional, and only shown on demand.
    """

    def side(which: str) -> io.Int.Input:
        return io.Int.Input(
            which,
            default=1024,
            min=1,
            max=16384,
            advanced=advanced,
            tooltip=f"The {which} in pixels of the image.",
        )

    fit = io.Combo.Input(
        "fit",
        options=["crop", "stretch"],
        advanced=advanced,
        tooltip="crop keeps the aspect and cuts the sides off, as ComfyUI does with hints.",
    )
    multiple = io.Int.Input(
        "multiple",
        default=64,
        min=1,
        max=1024,
        advanced=advanced,
        tooltip="Each side goes to the nearest multiple of this.",
    )
    outer = io.Boolean.Input(
        "outer",
        default=False,
        advanced=advanced,
        tooltip="Off: the map covers the image, which then crops it. On: it lies inside.",
    )
    pixels = io.Int.Input(
        "pixels",
        default=512,
        min=1,
        max=16384,
        advanced=advanced,
        tooltip="The short side in pixels; the aspect is kept.",
    )
    return io.DynamicCombo.Input(
        name,
        options=[
            io.DynamicCombo.Option(as_it_is, []),
            io.DynamicCombo.Option("exact", [side("width"), side("height"), fit]),
            io.DynamicCombo.Option("multiple", [multiple]),
            io.DynamicCombo.Option("pixel perfect", [side("width"), side("height"), outer]),
            io.DynamicCombo.Option("short side", [pixels]),
        ],
        tooltip=f"{tooltip} {CHOICES}",
        optional=advanced,
        extra_dict={"advanced": True} if advanced else None,
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
