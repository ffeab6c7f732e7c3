"""Process many images in chunks: memory stays bounded, and chunks shrink when it runs out."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from ..progress import Progress

T = TypeVar("T")


def run_in_chunks(
    run: Callable[[slice], T],
    count: int,
    chunk: int,
    device: torch.device,
    progress: Progress | None = None,
    together: int = 1,
) -> Iterator[tuple[slice, T]]:
    """Yield the result of `run` for one chunk of images after another, with its place in the batch.

    When the device runs out of memory, the chunk is halved and work goes on at the same image.

    Args:
        run: called with the place of a chunk in the batch.
        count: number of images.
        chunk: images per chunk, at least 1.
        device: where `run` computes.
        progress: called after each chunk.
        together: number of images that are never split: a chunk is a multiple of it.
    """
    chunk = max(chunk // together, 1) * together
    done = 0
    while done < count:
        part = slice(done, min(done + chunk, count))
        try:
            result = run(part)
        except RuntimeError as error:
            if chunk <= together or not is_out_of_memory(error):
                raise
        else:
            yield part, result
            done = part.stop
            if progress is not None:
                progress(done, count)
            continue
        # Not in the handler: there the traceback still holds the chunk's tensors.
        chunk = max(chunk // together // 2, 1) * together
        release_unused(device)


def auto_chunk(device: torch.device, size: tuple[int, int]) -> int:
    """Images per chunk: one on a CPU, whose caches are small, otherwise about 4 megapixels."""
    if device.type == "cpu":
        return 1
    return max(1, 4_000_000 // (size[0] * size[1]))


def release_unused(device: torch.device) -> None:
    """Release the memory that the device's allocator holds in reserve."""
    backends = {"cuda": torch.cuda, "mps": torch.mps, "xpu": torch.xpu}
    if device.type in backends:
        backends[device.type].empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on any kind of device."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "not enough memory" in text or "can't allocate" in text
    )
