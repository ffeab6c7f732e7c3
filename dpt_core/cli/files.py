"""Pictures and videos in, depth files out: which files, what is read, how results are written."""

import io
import os
import secrets
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

# What a folder is searched for; a file that is named itself may be anything that Pillow reads.
SUFFIXES = (
    ".avif",
    ".bmp",
    ".gif",
    ".jfif",
    ".jp2",
    ".jpeg",
    ".jpg",
    ".pgm",
    ".png",
    ".ppm",
    ".tga",
    ".tif",
    ".tiff",
    ".webp",
)
# What is taken for a video, in a folder or named itself.
VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")
DEEPEST = 65535  # the largest value of a 16-bit picture
MILLIMETRE = 0.001


class FileError(ValueError):
    """A file cannot be read, written or named; the message is for the person who gave it."""


class SourceError(FileError):
    """An image or a video gives no depth, and others may; the message is the reason alone."""


class Job(NamedTuple):
    """An image and the file that its depth goes to; or a video, and the folder."""

    source: Path
    target: Path

    @property
    def is_video(self) -> bool:
        """By the name: a file that Pillow reads may be called anything else."""
        return _is_video(self.source)


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


class Skip(NamedTuple):
    """A file or folder that gives no result, and why."""

    path: Path
    reason: str


def plan(inputs: Sequence[Path], output: Path, suffix: str) -> tuple[list[Job], list[Skip]]:
    """Which images become which files, and which videos which folders.

    Folders are searched with their sub-folders, in the order of the names; hidden files and
    the output folder are left out. Below `output` a result has its image's place in the
    folder that was searched, and its name with `suffix`. Images that differ in their
    extensions alone keep them: photo.jpg and photo.webp become photo.jpg.png and
    photo.webp.png. A video's results are the files of a folder that has its name.

    Raises:
        FileError: two images would still become one file, a result would replace an image, or
            a video's results would go among other files of the plan.
    """
    jobs: dict[tuple[Path, Path], Job] = {}  # an image may be named twice, in two ways
    skips: list[Skip] = []
    for given in inputs:
        if given.is_dir():
            if given.resolve() == output.resolve():
                raise FileError(
                    f"--output is {given}, which is searched for images: the results would be "
                    "taken for images the next time. Choose another folder, for example "
                    f"{given / 'depth'}."
                )
            found = _search(given, output, skips)
            if not found:
                skips.append(Skip(given, "no images or videos in this folder"))
        elif given.is_file():
            found = [given]
        else:
            skips.append(Skip(given, "there is no such file or folder"))
            continue
        for source in found:
            place = source.relative_to(given).parent if given.is_dir() else Path()
            target = output / place / (source.stem + _ending(source, suffix))
            jobs.setdefault((source.resolve(), target), Job(source, target))
    return _tell_apart(list(jobs.values()), suffix), skips


def _ending(source: Path, suffix: str) -> str:
    return "" if _is_video(source) else suffix


def _search(folder: Path, output: Path, skips: list[Skip]) -> list[Path]:
    excluded = output.resolve()
    found: list[Path] = []
    for name, folders, files in os.walk(folder, onerror=_noting(skips)):
        here = Path(name)
        folders[:] = sorted(
            f for f in folders if not f.startswith(".") and (here / f).resolve() != excluded
        )
        found += [
            here / file
            for file in sorted(files)
            if not file.startswith(".") and Path(file).suffix.lower() in SUFFIXES + VIDEO_SUFFIXES
        ]
    return found


def _noting(skips: list[Skip]) -> Callable[[OSError], None]:
    return lambda error: skips.append(Skip(Path(error.filename), error.strerror or str(error)))


def _tell_apart(jobs: list[Job], suffix: str) -> list[Job]:
    shared = Counter(_key(job.target) for job in jobs)
    jobs = [
        job._replace(target=job.target.with_name(job.source.name + _ending(job.source, suffix)))
        if shared[_key(job.target)] > 1
        else job
        for job in jobs
    ]
    sources = {job.source.resolve() for job in jobs}
    first: dict[str, Path] = {}
    _check_video_folders(jobs)
    for source, target in jobs:
        if target.resolve() in sources:
            raise FileError(
                f"The depth of {source} would replace the image {target}. "
                "Choose another --output folder."
            )
        other = first.setdefault(_key(target), source)
        if other is not source:
            raise FileError(
                f"{other} and {source} would both become {target}. Give the folder that holds "
                "both, or use one --output folder for each."
            )
    return jobs


def _check_video_folders(jobs: list[Job]) -> None:
    """Refuse files of the plan in the folders that videos' results are to fill."""
    videos = {_key(job.target.resolve()): job for job in jobs if job.is_video}
    if not videos:
        return
    for job in jobs:
        for path in (job.source.resolve(), job.target.resolve()):
            for parent in path.parents:
                video = videos.get(_key(parent))
                if video is not None:
                    raise FileError(
                        f"The frames of {video.source} and {job.source} would both be in "
                        f"{video.target}. Use one --output folder for each."
                    )


def _key(path: Path) -> str:
    # Photo.png and photo.png are one file on many systems.
    return str(path).casefold()


def read_image(path: Path) -> np.ndarray:
    """The first picture of a file, upright: H×W×3 float32 RGB in [0, 1]. Alpha is dropped.

    Raises:
        SourceError: the file is no picture, or a damaged one; the message is the reason alone.
    """
    try:
        with warnings.catch_warnings():
            # Odd metadata and large pictures are no news to who wants their depth.
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                return _to_rgb(ImageOps.exif_transpose(image))
    except SourceError:
        raise
    except UnidentifiedImageError as error:
        is_empty = path.stat().st_size == 0
        raise SourceError("the file is empty" if is_empty else "not a readable image") from error
    except Exception as error:  # Pillow's many formats fail in as many ways
        reason = error.strerror if isinstance(error, OSError) else None
        raise SourceError(reason or _one_line(error)) from error


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode == "F" or image.mode.startswith("I"):
        # Pillow would cut these off at 255.
        largest = 1 if image.mode == "F" else DEEPEST
        grey = np.asarray(image).astype(np.float32) / largest
        if not (grey.min() >= 0 and grey.max() <= 1):
            raise SourceError(f"its values are not within 0 to {largest}")
        return np.repeat(grey[:, :, None], 3, axis=2)
    return np.asarray(image.convert("RGB")).astype(np.float32) / 255


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def encode_png16(depth: np.ndarray, kind: str) -> bytes:
    """Raw depth, H×W, as a 16-bit grey PNG whose text says how to restore the raw values.

    Near is white: inverse depth runs from its minimum (0) to its maximum (65535), distance
    the other way. Metres are stored as millimetres, cut off at 65535. Always,
    raw = offset + scale × pixel.
    """
    values = depth.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if kind == "metres":
        offset, scale = 0.0, MILLIMETRE
        pixels = values / MILLIMETRE
    else:
        offset, span = (low, high - low) if kind == "inverse" else (high, low - high)
        scale = span / DEEPEST
        # Not divided by `scale`: it is 0 for a flat map, and too small to be exact for others.
        pixels = (values - offset) / span * DEEPEST if span else np.zeros_like(values)
    text = PngInfo()
    numbers = {"min": low, "max": high, "scale": scale, "offset": offset}
    for key, value in {"kind": kind, **numbers}.items():
        text.add_text(key, str(value))
    return encode_png(np.rint(pixels).clip(0, DEEPEST).astype(np.uint16), text)


def encode_png(pixels: np.ndarray, text: PngInfo | None = None) -> bytes:
    """A PNG file: H×W grey of 8 or 16 bits, or H×W×3 RGB of 8."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", pnginfo=text)
    return stream.getvalue()


def encode_npy(depth: np.ndarray) -> bytes:
    """An array as it is, in NumPy's format."""
    stream = io.BytesIO()
    np.save(stream, depth, allow_pickle=False)
    return stream.getvalue()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is either all there or not there; an older one stays until then.

    Raises:
        FileError: the file cannot be written.
    """
    # A hidden name, so that no folder search takes a part for a picture.
    part = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # else a power cut may leave the name without the content
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{path} could not be written ({error.strerror or error}).") from error
