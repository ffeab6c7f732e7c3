"""Depth of many images and videos, one at a time; memory does not grow with their number."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import torch

from ..depth_map import Depth
from ..estimate.chunks import is_out_of_memory
from ..render import RenderSettings, SteadyRange, colorize, control_image, render
from .files.errors import FileError, InputError
from .files.images import read_image
from .files.outputs import encode_npy, encode_png, encode_png16
from .files.plan import PlannedInput
from .files.videos import ReadImage, read_frames

if TYPE_CHECKING:
    from ..estimate.model import DepthModel


@dataclass(frozen=True)
class OutputFormat:
    """How a depth map is stored.

    Attributes:
        name: ``"png16"``, ``"png8"`` or ``"npy"``.
        suffix: of a result's file name, with its dot.
        colormap: for png8; None is grey.
        steady: for png8: whether the range that is rendered changes only slowly in a video.
    """

    name: str
    suffix: str
    colormap: str | None = None
    steady: bool = False


@dataclass(frozen=True)
class DepthEstimator:
    """Estimates the depth of one image at a time.

    Attributes:
        get_model: returns the model; called for each image, the first time before any work.
        resolution, fov: as in `DepthModel.infer`.
    """

    get_model: "Callable[[], DepthModel]"
    resolution: int | None = None
    fov: float | None = None

    def __call__(self, read: ReadImage) -> Depth:
        """The depth of an image.

        Raises:
            InputError: the image cannot be read or gives no depth; the message is only the reason.
        """
        model = self.get_model()
        image = torch.from_numpy(read()).permute(2, 0, 1).unsqueeze(0)  # 1×3×H×W
        try:
            depth = model.infer(image, self.resolution, fov=self.fov)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise InputError("not enough memory; try a smaller --resolution") from error
        if not torch.isfinite(depth.values).all():
            raise InputError(
                "the model returned NaN or infinite depth; try --precision float32; if that "
                "does not help, the checkpoint is damaged"
            )
        return depth


# A file and its content; None: the file already exists and is kept.
Result = tuple[Path, bytes | None]


def estimate_results(
    item: PlannedInput, form: OutputFormat, estimate: DepthEstimator, overwrite: bool
) -> Iterator[Result]:
    """Estimate the result of an image, or those of a video's frames: 000001, 000002, ….

    Args:
        item: the image or video.
        form: how its depth is stored.
        estimate: the model with its settings.
        overwrite: whether to replace existing results.

    Raises:
        InputError: the input cannot be read or gives no depth; the message is only the reason.
        FileError: the disk has no room for the raw depth that a steady video needs meanwhile.
    """
    if item.is_video and form.steady:
        yield from _estimate_steady_results(item, form, estimate, overwrite)
        return
    for target, read in _images(item, form):
        is_wanted = overwrite or not target.exists()
        yield target, encode(estimate(read), form) if is_wanted else None


def _images(item: PlannedInput, form: OutputFormat) -> Iterator[tuple[Path, ReadImage]]:
    """The image itself, or every frame, with its target."""
    if not item.is_video:
        yield item.target, lambda: read_image(item.source)
        return
    for number, read in enumerate(read_frames(item.source), 1):
        yield item.target / f"{number:06}{form.suffix}", read


def _estimate_steady_results(
    item: PlannedInput, form: OutputFormat, estimate: DepthEstimator, overwrite: bool
) -> Iterator[Result]:
    """Like `estimate_results`, but estimates all frames first: the range of each needs them all."""
    targets = [target for target, _ in _images(item, form)]
    if not overwrite and all(target.exists() for target in targets):
        yield from ((target, None) for target in targets)
        return
    estimate.get_model()  # before the disk is used: an unusable checkpoint ends the run here
    with ExitStack() as stack:
        first = None
        stored: dict[str, IO[bytes]] = {}
        for _, read in _images(item, form):
            depth = estimate(read)
            first = first or depth
            if depth.values.shape != first.values.shape:
                raise InputError("its frames differ in size; leave out --steady")
            try:
                for name, values in {"values": depth.values, "sky": depth.sky}.items():
                    if values is None:
                        continue
                    if name not in stored:
                        file = tempfile.TemporaryFile(dir=_nearest_folder(item.target))  # noqa: SIM115
                        stored[name] = stack.enter_context(file)
                    stored[name].write(values.numpy().tobytes())
                    stored[name].flush()
            except OSError as error:
                raise FileError(
                    f"The raw depth of {item.source} could not be stored for --steady "
                    f"({error.strerror or error})."
                ) from error
        assert first is not None
        shape = (len(targets), *first.values.shape[1:])  # frames × H × W
        # Mapped, so that a frame is only read from the disk when it is rendered.
        mapped = {
            name: torch.from_numpy(np.memmap(file, np.float32, "r+", shape=shape))
            for name, file in stored.items()
        }
        frames = render(
            Depth(mapped["values"], first.kind, mapped.get("sky")),
            RenderSettings(range=SteadyRange()),
        )
        try:
            for target, frame in zip(targets, frames, strict=True):
                is_wanted = overwrite or not target.exists()
                yield target, _encode_png8(frame.grey[None], form) if is_wanted else None
        except ValueError as error:
            raise InputError(str(error)) from error


def _nearest_folder(path: Path) -> Path:
    """The nearest parent folder that exists, which is on the same disk as `path` will be."""
    return next(parent for parent in path.absolute().parents if parent.is_dir())


def encode(depth: Depth, form: OutputFormat) -> bytes:
    """The content of the file for the depth of one image (B = 1)."""
    if form.name == "npy":
        return encode_npy(depth.values[0].numpy())
    if form.name == "png16":
        return encode_png16(depth.values[0].numpy(), depth.kind)
    return _encode_png8(control_image(depth), form)


def _encode_png8(image: torch.Tensor, form: OutputFormat) -> bytes:
    """1×H×W in [0, 1] → a PNG file."""
    if form.colormap is not None:
        image = colorize(image, form.colormap)  # 1×H×W×3
    return encode_png(torch.round(image[0] * 255).to(torch.uint8).numpy())
