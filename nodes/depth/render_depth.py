"""Render Depth: raw depth to a picture and to masks."""

from typing import Any

import torch
from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from ...dpt_core import Depth
from ...dpt_core.render import (
    COLORMAPS,
    EachImage,
    Fixed,
    Range,
    Rendering,
    Steady,
    Style,
    WholeBatch,
    colorize,
    render,
)
from .. import host
from ..choices import setting
from ..types import DptDepth
from .picture_size import size_input, to_target

STYLES: dict[str, Style] = {
    "ControlNet: near = white": "near",
    "FLUX.1-Depth: raw": "raw",
    "true depth: far = white": "far",
    "metres": "metres",
}
UNSTRETCHED = ("raw", "metres")


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
                "Turns raw depth into a picture: for ControlNets, steadily over a video, as true "
                "depth, in metres or in colour. Nothing is rounded, so 16-bit PNG and EXR files "
                "keep full precision. Rendering anew does not estimate anew."
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
                DptDepth.Input("depth", tooltip="Raw depth from Estimate Depth."),
                io.Combo.Input(
                    "style",
                    options=list(STYLES),
                    tooltip=(
                        "ControlNet: inverse depth, near is white; for SD 1.5, SDXL and union "
                        "depth ControlNets. FLUX.1-Depth: raw values over 255, for Depth "
                        "Anything V1 Large. true depth: linear in distance, far is white. "
                        "metres: distance as it is, for EXR files."
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
                                _percent("low", 2.0, "black"),
                                _percent("high", 98.0, "white"),
                                io.Combo.Input(
                                    "of",
                                    options=["each image", "whole batch"],
                                    tooltip="What the percentiles are taken from.",
                                ),
                            ],
                        ),
                        io.DynamicCombo.Option("fixed", [_end("low", 0.5), _end("high", 10.0)]),
                    ],
                    tooltip=(
                        "What is stretched from black to white. each image: what ControlNets were "
                        "trained on. whole batch: one range for all images. steady video: frames "
                        "are matched to each other, so nothing flickers; cuts start anew. "
                        "percentiles: ignores outliers. fixed: always the same two values."
                    ),
                ),
                size_input("size", "as estimated", "Size of the picture."),
                io.Combo.Input(
                    "colormap",
                    options=list(COLORMAPS),
                    tooltip="grey for ControlNets and data; colours show small differences.",
                ),
                io.Boolean.Input(
                    "invert",
                    default=False,
                    tooltip="Swap black and white (not for metres and raw).",
                ),
                io.Float.Input(
                    "gamma",
                    default=1.0,
                    min=0.05,
                    max=20.0,
                    step=0.05,
                    advanced=True,
                    tooltip=(
                        "Above 1 brightens the middle, below 1 darkens it (not for metres and raw)."
                    ),
                ),
                _metres("near", "nearest"),
                _metres("far", "farthest"),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The picture, three channels."),
                io.Mask.Output(
                    display_name="mask",
                    tooltip="The picture's grey values, before any colour map, as a mask.",
                ),
                io.Mask.Output(
                    display_name="valid",
                    tooltip="1 where the depth means something; 0 where it was marked invalid.",
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
        """Render frame by frame into memory that is taken once."""
        target = to_target(size, "size", (depth.values.shape[-2], depth.values.shape[-1]))
        settings = Rendering(
            style=STYLES[style],
            range=to_range(range),
            near=near or None,
            far=far or None,
            invert=invert,
            gamma=gamma,
            target=target,
        )
        settings.check(depth)
        if colormap != "grey" and settings.style in UNSTRETCHED:
            raise ValueError(
                f"The colour map {colormap} needs values between 0 and 1, and {style!r} gives them "
                "as they are. Set colormap to grey or choose another style."
            )
        count, *shape = depth.values.shape
        height, width = target.size if target else shape
        grey = host.empty_result((count, height, width))
        colours = None if colormap == "grey" else host.empty_result((count, height, width, 3))
        valid = torch.ones((), dtype=grey.dtype, device=grey.device).expand(grey.shape)
        frames = render(depth, settings, host.management.get_torch_device(), host.progress(count))
        for number, frame in enumerate(frames):
            grey[number] = frame.grey
            if colours is not None:
                colours[number] = colorize(frame.grey, colormap)
            if frame.valid is not None:
                if valid.stride(0) == 0:  # all the same number so far, not yet in memory
                    valid = valid.contiguous()
                valid[number] = frame.valid
        # The three channels of a grey picture are one memory seen three times.
        image = grey.unsqueeze(-1).expand(*grey.shape, 3) if colours is None else colours
        return io.NodeOutput(image, grey, valid)


def to_range(choice: dict[str, Any]) -> Range:
    """What the range widget says, in the library's terms."""
    match choice["range"]:
        case "whole batch":
            return WholeBatch()
        case "steady video":
            return Steady(setting(choice, "range", "window"))
        case "percentiles":
            kind = WholeBatch if setting(choice, "range", "of") == "whole batch" else EachImage
            return kind(setting(choice, "range", "low"), setting(choice, "range", "high"))
        case "fixed":
            return Fixed(setting(choice, "range", "low"), setting(choice, "range", "high"))
    return EachImage()


def _window() -> io.Int.Input:
    return io.Int.Input(
        "window",
        default=24,
        min=0,
        max=10_000,
        tooltip=(
            "Frames, before and after, that a frame's range depends on. More is steadier, fewer "
            "keep more contrast. One second is a good start."
        ),
    )


def _percent(name: str, default: float, colour: str) -> io.Float.Input:
    return io.Float.Input(
        name,
        default=default,
        min=0.0,
        max=100.0,
        step=0.1,
        tooltip=f"Per cent of the pixels below what becomes {colour}.",
    )


def _end(name: str, default: float) -> io.Float.Input:
    return io.Float.Input(
        name,
        default=default,
        min=-1e6,
        max=1e6,
        step=0.01,
        tooltip=(
            f"The {name} end: metres for a metric model (low is the nearest), raw inverse depth "
            "for a relative one."
        ),
    )


def _metres(name: str, which: str) -> io.Float.Input:
    return io.Float.Input(
        name,
        default=0.0,
        min=0.0,
        max=1e6,
        step=0.01,
        advanced=True,
        tooltip=(
            f"Metres to the {which} point: for true depth and metres from a relative model, which "
            "cannot know them. A metric model does without."
        ),
    )
