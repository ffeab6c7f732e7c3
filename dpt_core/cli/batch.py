"""The depth of images and videos, file by file, in memory that their number does not change."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..depth_map import Depth
from ..estimate.chunks import is_out_of_memory
from ..render import Rendering, Steady, colorize, control_image, render
from .files import FileError, Job, SourceError, encode_npy, encode_png, encode_png16, read_image
from .videos import Read, read_frames

if TYPE_CHECKING:
    from ..estimate.model import DepthModel


@dataclass(frozen=True)
class Form:
    """What a result is.

    Attributes:
        name: ``"png16"``, ``"png8"`` or ``"npy"``.
        suffix: the last part of its file's name.
        colormap: of png8; None is grey.
        steady: one range of brightness for a video that changes slowly, of png8.
    """

    name: str
    suffix: str
    colormap: str | None = None
    steady: bool = False


@dataclass(frozen=True)
class Estimator:
    """Depth of one picture after the other.

    Attributes:
        model: gives the model; called when the first depth is made, and for each one after.
        resolution, fov: as in `DepthModel.infer`.
    """

    model: "Callable[[], DepthModel]"
    resolution: int | None = None
    fov: float | None = None

    def __call__(self, read: Read) -> Depth:
        """The depth of one picture.

        Raises:
            SourceError: this picture gives none; the message is the reason alone.
        """
        model = self.model()
        image = torch.from_numpy(read()).permute(2, 0, 1).unsqueeze(0)
        try:
            depth = model.infer(image, self.resolution, fov=self.fov)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise SourceError("not enough memory; a smaller --resolution needs less") from error
        if not torch.isfinite(depth.values).all():
            raise SourceError(
                "the model gives NaN or infinite depth; --precision float32 may help, or else "
                "the checkpoint is damaged"
            )
        return depth


# A file to write, and its content; None: it is there already and stays.
Result = tuple[Path, bytes | None]


def results(job: Job, form: Form, estimate: Estimator, overwrite: bool) -> Iterator[Result]:
    """The results of an image, or of a video's frames as 000001 … in a folder.

    Raises:
        SourceError: the file cannot be read, or gives no depth; the message is the reason alone.
        FileError: there is no room for what a steady video needs meanwhile.
    """
    if job.is_video and form.steady:
        yield from _steady_results(job, form, estimate, overwrite)
        return
    for target, read in _pictures(job, form):
        is_wanted = overwrite or not target.exists()
        yield target, encode(estimate(read), form) if is_wanted else None


def _pictures(job: Job, form: Form) -> Iterator[tuple[Path, Read]]:
    if not job.is_video:
        yield job.target, lambda: read_image(job.source)
        return
    for number, read in enumerate(read_frames(job.source), 1):
        yield job.target / f"{number:06}{form.suffix}", read


def _steady_results(job: Job, form: Form, estimate: Estimator, overwrite: bool) -> Iterator[Result]:
    """As `results`: the brightness of a frame depends on later ones, so all are estimated first."""
    targets = [target for target, _ in _pictures(job, form)]
    if not overwrite and all(target.exists() for target in targets):
        yield from ((target, None) for target in targets)
        return
    estimate.model()  # before the disk is used: a checkpoint that is none ends it all
    with tempfile.TemporaryFile(dir=_existing(job.target)) as raw:
        first = None
        for _, read in _pictures(job, form):
            depth = estimate(read)
            first = first or depth
            if depth.values.shape != first.values.shape:
                raise SourceError("its frames change their size; leave --steady out")
            try:
                raw.write(depth.values.numpy().tobytes())
            except OSError as error:
                raise FileError(
                    f"The depth of {job.source} could not be kept until it is rendered "
                    f"({error.strerror or error})."
                ) from error
        raw.flush()
        assert first is not None
        shape = (len(targets), *first.values.shape[1:])
        # Read from the disk when a frame is rendered, and not kept.
        values = torch.from_numpy(np.memmap(raw, np.float32, "r+", shape=shape))
        frames = render(Depth(values, first.kind), Rendering(range=Steady()))
        try:
            for target, frame in zip(targets, frames, strict=True):
                is_wanted = overwrite or not target.exists()
                yield target, _to_png8(frame.grey[None], form) if is_wanted else None
        except ValueError as error:
            raise SourceError(str(error)) from error


def _existing(folder: Path) -> Path:
    """The nearest folder above that exists: on the same disk."""
    return next(parent for parent in folder.absolute().parents if parent.is_dir())


def encode(depth: Depth, form: Form) -> bytes:
    """The content of the file for one depth map."""
    if form.name == "npy":
        return encode_npy(depth.values[0].numpy())
    if form.name == "png16":
        return encode_png16(depth.values[0].numpy(), depth.kind)
    return _to_png8(control_image(depth), form)


def _to_png8(picture: torch.Tensor, form: Form) -> bytes:
    """1×H×W in [0, 1] → a PNG file."""
    if form.colormap is not None:
        picture = colorize(picture, form.colormap)
    return encode_png(torch.round(picture[0] * 255).to(torch.uint8).numpy())
