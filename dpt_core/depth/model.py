"""A loaded depth model: images in, raw depth out, in chunks."""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..checkpoint.shapes import format_dtype
from ..errors import PrecisionWarning
from ..geometry.camera import check_fov, intrinsics_of_fov
from .config import DPTConfig, Kind
from .images import check_images, finest, network_size, to_image, to_network
from .inspection import Inspection
from .net import DPT, Prediction
from .sky import fill_sky

Progress = Callable[[int, int], None]
MOST_PIXELS = 2**25  # of the network's input: 5,792², with which a strip's length would explode


class Depth(NamedTuple):
    """Raw depth.

    Attributes:
        values: B×H×W float32 on the CPU; float16 from `infer_half`.
        kind: ``"inverse"`` (larger is nearer; no unit, only known up to scale and shift),
            ``"metres"`` (larger is farther), or ``"distance"`` (the same without a unit).
        sky: B×H×W float32 on the CPU, where the model tells it: 0 is no sky, from 0.3 on it
            is sky; else None.
        valid: B×H×W bool on the CPU, False where the values mean nothing; None: all count.
        intrinsics: B×3×3 float32, the pinhole cameras in units of the image's width and height
            (the middle is 0.5), so that they hold at any size; None: not known.
        checkpoint: name of the file whose model made it.
    """

    values: Tensor
    kind: Kind
    sky: Tensor | None = None
    valid: Tensor | None = None
    intrinsics: Tensor | None = None
    checkpoint: str | None = None


@dataclass
class DepthModel:
    """A depth network that knows its own preprocessing.

    Attributes:
        config: everything that defines it.
        net: normalised B×3×H×W → B×H×W at the network's size.
        inspection: where it comes from, and the evidence for what the weights do not say.
        device: where it computes; a host that moves the weights by itself sets this.
        dtype: what it computes in.
        casts_weights: the layers cast their weights to the format of their input at use.
    """

    config: DPTConfig
    net: DPT
    inspection: Inspection
    device: torch.device
    dtype: torch.dtype
    casts_weights: bool = False

    def preprocess(self, images: Tensor, resolution: int | None = None) -> Tensor:
        """B×3×H×W float in [0, 1] → the network's float32 input, on the images' device.

        Args:
            images: RGB, any size.
            resolution: the side that the model's size rule works with, in pixels; None for
                the model's own. Sides are then snapped to whole patches.
        """
        check_images(images)
        return to_network(images, self.config.image, self._network_size(images, resolution))

    @torch.no_grad()
    def infer(
        self,
        images: Tensor,
        resolution: int | None = None,
        batch_size: int | None = None,
        progress: Progress | None = None,
        fov: float | None = None,
    ) -> Depth:
        """Estimate depth at the images' own size.

        The work goes in chunks, so that hundreds of frames need no more memory than one
        chunk and the result. When the device runs out of memory the chunk is halved and
        the work goes on at the same frame. An image whose depth is lost in half precision
        (NaN, infinite or all equal) is estimated again in float32, and it alone.

        Args:
            images: B×3×H×W float RGB in [0, 1], any size, on any device; never changed.
            resolution: as for `preprocess`.
            batch_size: images to a chunk; None decides by the device.
            progress: called with (images done, images in all) after each chunk; an
                exception that it raises ends the work.
            fov: horizontal field of view in degrees, for metric models that need it (Depth
                Anything 3): with it they give metres, without it distances.

        Raises:
            TypeError, ValueError: the images or the numbers cannot be used.

        Warns:
            PrecisionWarning: how many images were estimated again in float32.
        """
        check_images(images)
        if fov is not None:
            check_fov(fov)
        size = self._network_size(images, resolution)
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1 (or None).")
        chunk = batch_size or auto_chunk(self.device, size)
        factor = self._metres_per_unit(fov, size[1])
        height, width = images.shape[-2:]
        values = torch.empty(len(images), height, width)
        sky = torch.empty_like(values) if self.config.sky_head else None
        done = again = 0
        while done < len(images):
            part = None
            try:
                part, lost = self._run(images[done : done + chunk], size)
                again += lost
            except RuntimeError as error:
                if chunk == 1 or not is_out_of_memory(error):
                    raise
            if part is None:
                # Not in the handler: there the traceback still holds the chunk's tensors.
                chunk //= 2
                _release_unused(self.device)
                continue
            end = done + len(part.depth)
            values[done:end] = part.depth
            if sky is not None and part.sky is not None:
                sky[done:end] = part.sky
            done = end
            if progress is not None:
                progress(done, len(images))
        if again:
            notice = PrecisionWarning(again, format_dtype(self.dtype))
            warnings.warn(notice, stacklevel=3)  # the decorator's frame lies between
        camera = None if fov is None else intrinsics_of_fov(fov, width, height)
        return Depth(
            values=values if factor is None else values.mul_(factor),
            kind=self.config.kind if factor is None else "metres",
            sky=sky,
            intrinsics=None if camera is None else camera.expand(len(images), 3, 3),
            checkpoint=self.inspection.path.name,
        )

    def _run(self, images: Tensor, size: tuple[int, int]) -> tuple[Prediction, int]:
        """One chunk, at the images' size, and how many images took a second run in float32."""
        rule = self.config.image
        image_size = (images.shape[-2], images.shape[-1])
        if images.itemsize > finest(self.device).itemsize:
            images = images.float()
        inputs = to_network(images.to(self.device), rule, size)
        depth, sky = self.net.predict(inputs.to(self.dtype))
        lost = find_lost(depth) if depth.itemsize < 4 else []
        if lost:
            depth, sky = depth.float(), None if sky is None else sky.float()
            with in_float32(self.net, self.dtype, self.casts_weights):
                for number in lost:
                    better = self.net.predict(inputs[number : number + 1])
                    depth[number] = better.depth[0]
                    if sky is not None and better.sky is not None:
                        sky[number] = better.sky[0]
        if sky is not None:
            depth = fill_sky(depth.float(), sky.float())
            sky = to_image(sky, rule, image_size)
        return Prediction(to_image(depth, rule, image_size), sky), len(lost)

    def _metres_per_unit(self, fov: float | None, network_width: int) -> float | None:
        """What turns distances into metres: the focal length in pixels times a constant."""
        if fov is None or self.config.metres_per_focal is None:
            return None
        focal = 0.5 * network_width / math.tan(math.radians(fov) / 2)
        return focal * self.config.metres_per_focal

    def _network_size(self, images: Tensor, resolution: int | None) -> tuple[int, int]:
        rule = self.config.image
        least = 1 if rule.fit == "square" else rule.multiple
        if resolution is not None and resolution < least:
            raise ValueError(
                f"resolution is {resolution}; it must be at least {least} pixels. This model's "
                f"own is {rule.side}."
            )
        height, width = images.shape[-2:]
        size = network_size((height, width), rule, resolution)
        if size[0] * size[1] > MOST_PIXELS:
            raise ValueError(
                f"Images of {width}×{height} pixels would enter the network at "
                f"{size[1]:,}×{size[0]:,}. Cut them to a shape less long and thin, or choose a "
                "lower resolution."
            )
        return size


def find_lost(depth: Tensor) -> list[int]:
    """The images of B×H×W whose depth is NaN or infinite somewhere, or the same everywhere."""
    low, high = depth.flatten(1).float().aminmax(dim=1)
    spread = high - low  # NaN where a value is NaN or both ends are infinite
    return (~(spread.isfinite() & (spread > 0))).nonzero().flatten().tolist()


@contextmanager
def in_float32(net: nn.Module, dtype: torch.dtype, casts_weights: bool) -> Iterator[None]:
    """Run a network of half-precision weights on float32 input; they come back as they were."""
    if casts_weights:
        yield
        return
    try:
        net.float()  # in here, since memory may run out on the way
        yield
    finally:
        net.to(dtype)


def auto_chunk(device: torch.device, size: tuple[int, int]) -> int:
    """Images to a chunk: one on a CPU (its caches are small), else about 4 megapixels."""
    if device.type == "cpu":
        return 1
    return max(1, 4_000_000 // (size[0] * size[1]))


def _release_unused(device: torch.device) -> None:
    """Give back what the device's allocator holds in reserve."""
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
