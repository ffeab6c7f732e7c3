"""Inputs that several depth nodes share, and what their values mean."""

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from ...dpt_core.geometry.camera import check_fov
from ..types import DptDepth, DptModel


def model_input() -> io.Input:
    """The depth model."""
    return DptModel.Input("model", tooltip="The depth model from Load DPT Checkpoint.")


def depth_input() -> io.Input:
    """Raw depth."""
    return DptDepth.Input("depth", tooltip="Raw depth from Estimate Depth.")


def resolution_input(
    name: str = "resolution", more: str = "", advanced: bool = False
) -> io.Int.Input:
    """The size at which the network runs; `more` is added to the tooltip."""
    return io.Int.Input(
        name,
        default=0,
        min=0,
        max=8192,
        advanced=advanced or None,
        tooltip=(
            "The size in pixels at which the model sees the image (the short side for Depth "
            "Anything V1 and V2, the long side for 3). 0 is the size it was trained at, such as "
            f"518.{more}"
        ),
    )


def flip_average_input(more: str = "", optional: bool = False) -> io.Boolean.Input:
    """Averaging with the mirrored image; `more` is added to the tooltip."""
    return io.Boolean.Input(
        "flip_average",
        default=False,
        optional=optional,
        advanced=optional or None,
        tooltip=(
            f"Average with the depth of the mirrored image: more stable, but twice the time.{more}"
        ),
    )


def fov_input(more: str = "") -> io.Float.Input:
    """The camera's field of view; `more` is added to the tooltip."""
    return io.Float.Input(
        "fov",
        display_name="field of view",
        default=0.0,
        min=0.0,
        max=179.0,
        step=0.1,
        optional=True,
        advanced=True,
        tooltip=(
            "The camera's horizontal field of view in degrees, if you know it (about 65 for a "
            "phone); 0 if you do not. Depth Anything 3 metric needs it to give metres, and Depth "
            f"to Geometry can use it (camera: of the depth).{more}"
        ),
    )


def metres_input(name: str, which: str, use: str = "", advanced: bool = False) -> io.Float.Input:
    """Metres to the nearest or the farthest point; `use` says what for."""
    return io.Float.Input(
        name,
        default=0.0,
        min=0.0,
        max=1e6,
        step=0.01,
        advanced=advanced or None,
        tooltip=(
            f"Metres to the {which} point{use}, for a relative model, which cannot know them. A "
            "metric model does not need it."
        ),
    )


def check_fov_input(fov: float) -> float | None:
    """The field of view in degrees, or None if the input is 0, for unknown.

    Raises:
        ValueError: no camera has this angle. It is checked before any work begins.
    """
    if not fov:
        return None
    check_fov(fov)
    return fov
