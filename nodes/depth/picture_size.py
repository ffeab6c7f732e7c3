"""The input for the size of a depth picture, and what its choices mean."""

from typing import Any

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from ...dpt_core.render import OutputSize, pixel_perfect, to_multiple, to_short_side
from ..dynamic_combo import setting

CHOICES = (
    "exact: that of the image to generate. multiple: each side rounded to one. pixel perfect: "
    "one depth pixel for each pixel of the image to generate, aspect ratio kept. short side: what "
    "preprocessors call resolution."
)


def size_input(
    name: str, unchanged: str, tooltip: str, advanced: bool = False
) -> io.DynamicCombo.Input:
    """The input.

    Args:
        name: its id, which `to_target` needs as well.
        unchanged: the first choice, which leaves the size as it is.
        tooltip: of the input; the choices are explained after it.
        advanced: the input is optional, and shown only among the advanced ones.
    """

    def side(which: str) -> io.Int.Input:
        return io.Int.Input(
            which,
            default=1024,
            min=1,
            max=16384,
            advanced=advanced,
            tooltip=f"The {which} in pixels of the image to generate.",
        )

    fit = io.Combo.Input(
        "fit",
        options=["crop", "stretch"],
        advanced=advanced,
        tooltip="crop keeps the aspect ratio and cuts off the sides, as ComfyUI does with hints.",
    )
    multiple = io.Int.Input(
        "multiple",
        default=64,
        min=1,
        max=1024,
        advanced=advanced,
        tooltip="Each side is rounded to a multiple of this.",
    )
    outer = io.Boolean.Input(
        "outer",
        default=False,
        advanced=advanced,
        tooltip=(
            "Off: the depth map covers the image to generate and is cropped to it. On: it fits "
            "inside."
        ),
    )
    pixels = io.Int.Input(
        "pixels",
        default=512,
        min=1,
        max=16384,
        advanced=advanced,
        tooltip="The short side in pixels. The aspect ratio is kept.",
    )
    return io.DynamicCombo.Input(
        name,
        options=[
            io.DynamicCombo.Option(unchanged, []),
            io.DynamicCombo.Option("exact", [side("width"), side("height"), fit]),
            io.DynamicCombo.Option("multiple", [multiple]),
            io.DynamicCombo.Option("pixel perfect", [side("width"), side("height"), outer]),
            io.DynamicCombo.Option("short side", [pixels]),
        ],
        tooltip=f"{tooltip} {CHOICES}",
        optional=advanced,
        extra_dict={"advanced": True} if advanced else None,
    )


def to_target(choice: dict[str, Any], name: str, size: tuple[int, int]) -> OutputSize | None:
    """The size that was chosen, for depth of height and width `size`; None leaves it as it is."""
    match choice[name]:
        case "exact":
            exact = (setting(choice, name, "height"), setting(choice, name, "width"))
            return OutputSize(exact, setting(choice, name, "fit"))
        case "multiple":
            return OutputSize(to_multiple(size, setting(choice, name, "multiple")), "stretch")
        case "pixel perfect":
            image = (setting(choice, name, "height"), setting(choice, name, "width"))
            return OutputSize(pixel_perfect(size, image, setting(choice, name, "outer")), "stretch")
        case "short side":
            return OutputSize(to_short_side(size, setting(choice, name, "pixels")), "stretch")
    return None
