"""Frames of a video, one after the other, by PyAV, which is asked for by videos alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .files import SourceError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

Read = Callable[[], np.ndarray]


def read_frames(path: Path) -> Iterator[Read]:
    """All frames of a video; one frame is in memory at a time.

    Each is a function, for the picture is only made when it is called, before the next frame is
    asked for: upright, H×W×3 float32 RGB in [0, 1].

    Raises:
        SourceError: PyAV is not installed, the file is no video or a damaged one, or it has no
            frames. The message is the reason alone.
    """
    with _opened(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        count = 0
        for frame in container.decode(video=0):
            count += 1
            yield lambda frame=frame: _to_rgb(frame)
        if not count:
            raise SourceError("the video has no frames")


def count_frames(path: Path) -> int:
    """How many frames the file says it has, without decoding; 0: it does not say.

    Raises:
        SourceError: as in `read_frames`.
    """
    with _opened(path) as container:
        return container.streams.video[0].frames


@contextmanager
def _opened(path: Path) -> "Iterator[InputContainer]":
    try:
        import av
        from av.error import FFmpegError
    except ImportError as error:
        raise SourceError(
            "reading a video needs PyAV, which is not installed; pip install av"
        ) from error
    try:
        with av.open(path) as container:
            if not container.streams.video:
                raise SourceError("there are no pictures in this file, only sound or text")
            yield container
    except (FFmpegError, OSError) as error:
        if path.is_file() and path.stat().st_size == 0:
            raise SourceError("the file is empty") from error
        raise SourceError(f"not a readable video ({error.strerror or error})") from error


def _to_rgb(frame: "VideoFrame") -> np.ndarray:
    # Phones store frames lying and say by how many degrees they are turned, anticlockwise.
    upright = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    return upright.astype(np.float32) / 255
