"""Plan which inputs become which outputs, before anything is computed."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import FileError
from .images import IMAGE_SUFFIXES
from .videos import VIDEO_SUFFIXES

SUFFIXES = IMAGE_SUFFIXES + VIDEO_SUFFIXES


class PlannedInput(NamedTuple):
    """An image or a video, and where its results go.

    Attributes:
        source: the image or video.
        target: an image's result file, or the folder for a video's frames.
    """

    source: Path
    target: Path

    @property
    def is_video(self) -> bool:
        """Whether the suffix is a video's; any other file is treated as an image."""
        return _is_video(self.source)


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


class Skipped(NamedTuple):
    """An input file or folder that gives no result, and why."""

    path: Path
    reason: str


def plan(
    inputs: Sequence[Path], output: Path, suffix: str
) -> tuple[list[PlannedInput], list[Skipped]]:
    """Decide which file each image becomes, and which folder each video.

    Folders are searched together with their subfolders, in alphabetical order, except for hidden
    files and the output folder. Each result keeps its input's place below the folder that was
    searched. An image's result has the image's name with `suffix`; where that would give several
    images the same name, the old suffix stays too: photo.jpg and photo.webp become photo.jpg.png
    and photo.webp.png. The frames of a video go into a folder named after it.

    Args:
        inputs: files and folders.
        output: the folder for all results.
        suffix: of an image's result, with its dot.

    Returns:
        The inputs that can be tried, and those that cannot.

    Raises:
        FileError: two inputs would still share a result, a result would replace an image, or
            the folder for a video's frames would hold other files of the plan too.
    """
    planned: dict[tuple[Path, Path], PlannedInput] = {}  # the same image may be given in two ways
    skipped: list[Skipped] = []
    for given in inputs:
        if given.is_dir():
            if given.resolve() == output.resolve():
                raise FileError(
                    f"--output is {given}, which is also searched for images, so the next run "
                    "would treat the results as images. Choose another folder, for example "
                    f"{given / 'depth'}."
                )
            found = _search(given, output, skipped)
            if not found:
                skipped.append(Skipped(given, "no images or videos in this folder"))
        elif given.is_file():
            found = [given]
        else:
            skipped.append(Skipped(given, "there is no such file or folder"))
            continue
        for source in found:
            subfolder = source.relative_to(given).parent if given.is_dir() else Path()
            target = output / subfolder / _result_name(source, source.stem, suffix)
            planned.setdefault((source.resolve(), target), PlannedInput(source, target))
    distinct = _keep_suffixes_where_needed(list(planned.values()), suffix)
    _check_video_folders(distinct)
    _check_targets(distinct)
    return distinct, skipped


def _result_name(source: Path, stem: str, suffix: str) -> str:
    return stem if _is_video(source) else stem + suffix


def _search(folder: Path, output: Path, skipped: list[Skipped]) -> list[Path]:
    """Images and videos in a folder; subfolders that cannot be read are added to `skipped`."""

    def skip(error: OSError) -> None:
        skipped.append(Skipped(Path(error.filename), error.strerror or str(error)))

    excluded = output.resolve()
    found: list[Path] = []
    for name, subfolders, files in os.walk(folder, onerror=skip):
        parent = Path(name)
        subfolders[:] = sorted(
            subfolder
            for subfolder in subfolders
            if not subfolder.startswith(".") and (parent / subfolder).resolve() != excluded
        )
        found += [
            parent / file
            for file in sorted(files)
            if not file.startswith(".") and Path(file).suffix.lower() in SUFFIXES
        ]
    return found


def _keep_suffixes_where_needed(planned: list[PlannedInput], suffix: str) -> list[PlannedInput]:
    """Give inputs that would share a target the name with their own suffix."""
    count = Counter(_key(item.target) for item in planned)
    return [
        item._replace(target=item.target.with_name(_result_name(source, source.name, suffix)))
        if count[_key(item.target)] > 1
        else item
        for item in planned
        for source in [item.source]
    ]


def _check_targets(planned: list[PlannedInput]) -> None:
    """Refuse a target that is an input, or belongs to two inputs."""
    sources = {item.source.resolve() for item in planned}
    first: dict[str, Path] = {}
    for source, target in planned:
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


def _check_video_folders(planned: list[PlannedInput]) -> None:
    """Refuse any other input or target inside the folder for a video's frames."""
    videos = {_key(item.target.resolve()): item for item in planned if item.is_video}
    for item in planned if videos else ():
        for path in (item.source.resolve(), item.target.resolve()):
            for parent in path.parents:
                video = videos.get(_key(parent))
                if video is not None:
                    raise FileError(
                        f"The frames of {video.source} and {item.source} would both be in "
                        f"{video.target}. Use one --output folder for each."
                    )


def _key(path: Path) -> str:
    # Photo.png and photo.png are the same file on many systems.
    return str(path).casefold()
