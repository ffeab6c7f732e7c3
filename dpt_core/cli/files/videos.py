"""The frames of a video, one at a time, decoded by PyAV, which is only needed for videos."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")

# Reads an image or converts a frame: H×W×3 float32 RGB in [0, 1], upright.
ReadImage = Callable[[], np.ndarray]


def read_frames(path: Path) -> Iterator[ReadImage]:
    """Iterate over the frames of a video, with one frame in memory at a time.

    Yields:
        A function that converts the frame; call it before going on to the next frame. A frame
        that is not converted costs only its decoding.

    Raises:
        InputError: PyAV is not installed, or the file is not a video, is damaged or has no
            frames. The message is only the reason.
    """
    with _opened(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        count = 0
        for frame in container.decode(video=0):
            count += 1
            yield lambda frame=frame: _to_rgb(frame)
        if not count:
            raise InputError("the video has no frames")


def count_frames(path: Path) -> int:
    """The number of frames according to the file's header; 0 if the header does not say.

    Raises:
        InputError: as in `read_frames`.
    """
    with _opened(path) as container:
        return container.streams.video[0].frames


@contextmanager
def _opened(path: Path) -> "Iterator[InputContainer]":
    try:
        import av
        from av.error import FFmpegError
    except ImportError as error:
        raise InputError(
            "reading a video needs PyAV, which is not installed; pip install av"
        ) from error
    try:
        with av.open(path) as container:
            if not container.streams.video:
                raise InputError("there are no pictures in this file, only sound or text")
            yield container
    except (FFmpegError, OSError) as error:
        if path.is_file() and path.stat().st_size == 0:
            raise InputError("the file is empty") from error
        raise InputError(f"not a readable video ({error.strerror or error})") from error


def _to_rgb(frame: "VideoFrame") -> np.ndarray:
    # Phones store frames unrotated, together with their anticlockwise rotation in degrees.
    upright = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    return upright.astype(np.float32) / 255
