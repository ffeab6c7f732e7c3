"""Render Depth: raw depth → a picture and masks."""

from typing import Any

import torch
from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from ...dpt_core import Depth
from ...dpt_core.render import (
    COLORMAPS,
    BatchRange,
    FixedRange,
    PerImageRange,
    Range,
    RenderSettings,
    RenderStyle,
    SteadyRange,
    colorize,
    render,
)
from ..dynamic_combo import setting
from ..host import running
from ..images import frame_size
from .inputs import depth_input, metres_input
from .picture_size import size_input, to_target

STYLES: dict[str, RenderStyle] = {
    "ControlNet: near = white": "near",
    "FLUX.1-Depth: raw": "raw",
    "true depth: far = white": "far",
    "metres": "metres",
}
NOT_NORMALISED = ("raw", "metres")
METRES_USE = ", in the styles true depth and metres"


class RenderDepth(io.ComfyNode):
    """The one place where raw depth becomes brightness."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTRenderDepth",
            display_name="Render Depth",
            category="image/geometry estimation",
            description=(
                "Turns raw depth into a picture: for ControlNets, as a steady video, as true "
                "depth, in metres or in colour. Nothing is rounded, so 16-bit PNG and EXR files "
                "keep full precision. Changing the settings does not estimate depth again."
            ),
            search_aliases=[
                "depth anything",
                "depth to image",
                "normalize depth",
                "depth colormap",
                "controlnet depth",
                "depth video flicker",
                "colorize depth",
                "invert depth",
                "remap depth",
                "depth to mask",
                "turbo",
            ],
            inputs=[
                depth_input(),
                io.Combo.Input(
                    "style",
                    options=list(STYLES),
                    tooltip=(
                        "ControlNet: inverse depth, near is white; for the depth ControlNets of "
                        "SD 1.5, SDXL and union models. FLUX.1-Depth: raw values divided by 255, "
                        "for Depth Anything V1 Large. true depth: linear in z, far is white. "
                        "metres: z in metres, unchanged, for EXR files."
                    ),
                ),
                io.DynamicCombo.Input(
                    "range",
                    options=[
                        io.DynamicCombo.Option("each image", []),
                        io.DynamicCombo.Option("whole batch", []),
                        io.DynamicCombo.Option("steady video", [_window()]),
                        io.DynamicCombo.Option(
                            "percentiles",
                            [
                                _percentile("low", 2.0, "black"),
                                _percentile("high", 98.0, "white"),
                                io.Combo.Input(
                                    "of",
                                    options=["each image", "whole batch"],
                                    tooltip="The pixels from which the percentiles are taken.",
                                ),
                            ],
                        ),
                        io.DynamicCombo.Option("fixed", [_limit("low", 0.5), _limit("high", 10.0)]),
                    ],
                    tooltip=(
                        "What is stretched from black to white. each image: what ControlNets were "
                        "trained on. whole batch: one range for all images. steady video: matches "
                        "the frames to each other, so nothing flickers, and starts anew at cuts. "
                        "percentiles: ignores outliers. fixed: always the same two values."
                    ),
                ),
                size_input("size", "as estimated", "Size of the picture."),
                io.Combo.Input(
                    "colormap",
                    options=list(COLORMAPS),
                    tooltip="grey for ControlNets and data. Colours bring out small differences.",
                ),
                io.Boolean.Input(
                    "invert",
                    default=False,
                    tooltip="Swap black and white. Not for the styles metres and raw.",
                ),
                io.Float.Input(
                    "gamma",
                    default=1.0,
                    min=0.05,
                    max=20.0,
                    step=0.05,
                    advanced=True,
                    tooltip=(
                        "Above 1 brightens the midtones, below 1 darkens them. Not for the styles "
                        "metres and raw."
                    ),
                ),
                metres_input("near", "nearest", METRES_USE, advanced=True),
                metres_input("far", "farthest", METRES_USE, advanced=True),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The picture, three channels."),
                io.Mask.Output(
                    display_name="mask",
                    tooltip="The picture's grey values, before any colour map, as a mask.",
                ),
                io.Mask.Output(
                    display_name="valid",
                    tooltip=(
                        "1 where the depth is valid; 0 in the sky and where there is no depth. "
                        "Pixels that are not valid are rendered as the farthest."
                    ),
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        depth: Depth,
        style: str,
        range: dict[str, Any],
        size: dict[str, Any],
        colormap: str,
        invert: bool,
        gamma: float,
        near: float,
        far: float,
    ) -> io.NodeOutput:
        """Render frame by frame into memory that is allocated once."""
        target = to_target(size, "size", frame_size(depth.values))
        settings = RenderSettings(
            style=STYLES[style],
            range=to_range(range),
            near=near or None,
            far=far or None,
            invert=invert,
            gamma=gamma,
            output=target,
        )
        settings.check(depth)
        if colormap != "grey" and settings.style in NOT_NORMALISED:
            raise ValueError(
                f"The colour map {colormap} needs values between 0 and 1, but the style {style!r} "
                "leaves them as they are. Set colormap to grey or choose another style."
            )
        count, *shape = depth.values.shape
        height, width = target.size if target else shape
        grey = running.empty_result((count, height, width))
        colours = None if colormap == "grey" else running.empty_result((count, height, width, 3))
        valid = torch.ones((), dtype=grey.dtype, device=grey.device).expand(grey.shape)
        progress = running.progress(count)
        frames = render(depth, settings, running.compute_device(), progress)
        for number, frame in enumerate(frames):
            grey[number] = frame.grey
            if colours is not None:
                colours[number] = colorize(frame.grey, colormap)
            if frame.valid is not None:
                if valid.stride(0) == 0:  # still a single number, expanded
                    valid = valid.contiguous()
                valid[number] = frame.valid
        # The three channels of a grey picture share one memory.
        image = grey.unsqueeze(-1).expand(*grey.shape, 3) if colours is None else colours
        return io.NodeOutput(image, grey, valid)


def to_range(choice: dict[str, Any]) -> Range:
    """The library's range for what the range input says."""
    match choice["range"]:
        case "whole batch":
            return BatchRange()
        case "steady video":
            return SteadyRange(setting(choice, "range", "window"))
        case "percentiles":
            scope = BatchRange if setting(choice, "range", "of") == "whole batch" else PerImageRange
            return scope(setting(choice, "range", "low"), setting(choice, "range", "high"))
        case "fixed":
            return FixedRange(setting(choice, "range", "low"), setting(choice, "range", "high"))
    return PerImageRange()


def _window() -> io.Int.Input:
    return io.Int.Input(
        "window",
        default=24,
        min=0,
        max=10_000,
        tooltip=(
            "How many frames before and after a frame influence its range. More is steadier, "
            "fewer keep more contrast. One second of video is a good start."
        ),
    )


def _percentile(name: str, default: float, colour: str) -> io.Float.Input:
    return io.Float.Input(
        name,
        default=default,
        min=0.0,
        max=100.0,
        step=0.1,
        tooltip=f"The percentile that becomes {colour}.",
    )


def _limit(name: str, default: float) -> io.Float.Input:
    return io.Float.Input(
        name,
        default=default,
        min=-1e6,
        max=1e6,
        step=0.01,
        tooltip=(
            f"The {name} end of the range: in metres for a metric model (low is the nearest), in "
            "raw inverse depth for a relative one."
        ),
    )
