"""A loaded depth model: images in, raw depth out, in chunks."""

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checkpoint.inspection import Inspection
from ..checkpoint.shapes import format_dtype
from ..depth.config import DPTConfig, Fit, ImageRule
from ..depth.heads.depth import Prediction
from ..depth.network import DPT
from ..depth.preprocessing import Size, exact_dtype, network_size, to_image, to_network
from ..depth_map import Depth
from ..errors import PrecisionWarning
from ..geometry.camera import check_fov, intrinsics_of_fov
from ..images import check_images
from ..progress import Progress
from .chunks import auto_chunk, run_in_chunks
from .precision import find_degenerate, in_float32
from .sky import fill_sky

MAX_INPUT_PIXELS = 2**25  # 5,792²; the input for a long, thin strip may be far larger


@dataclass
class DepthModel:
    """A depth network with its preprocessing.

    Attributes:
        config: its complete definition.
        net: normalised B×3×H×W → B×H×W at the network's size.
        inspection: where it comes from, and the evidence for what the weights do not determine.
        device: where it computes; a host that moves the weights itself sets this.
        dtype: the number format that it computes in.
        casts_weights: whether its layers cast their weights to the format of their input on use.
    """

    config: DPTConfig
    net: DPT
    inspection: Inspection[DPTConfig]
    device: torch.device
    dtype: torch.dtype
    casts_weights: bool = False

    def preprocess(
        self, images: Tensor, resolution: int | None = None, fit: Fit | None = None
    ) -> Tensor:
        """B×3×H×W float in [0, 1] → the network's float32 input B×3×h×w, on the images' device.

        Args:
            images: RGB, any size.
            resolution: the side for the model's size rule in pixels; None for the model's own.
                Sides are then rounded to whole patches.
            fit: as for `infer`.

        Raises:
            TypeError, ValueError: the images or the resolution cannot be used.
        """
        check_images(images)
        rule = self.config.image.with_fit(fit)
        return to_network(images, rule, self._network_size(images, resolution, rule))

    @torch.no_grad()
    def infer(
        self,
        images: Tensor,
        resolution: int | None = None,
        batch_size: int | None = None,
        progress: Progress | None = None,
        fov: float | None = None,
        fit: Fit | None = None,
    ) -> Depth:
        """Estimate depth at the images' own size.

        Images are processed in chunks, so that hundreds of frames need no more memory than one
        chunk and the result. When the device runs out of memory, the chunk is halved and
        work goes on at the same frame. An image whose depth is lost in half precision
        (NaN, infinite or all equal) is estimated again in float32; the others are not.

        Args:
            images: B×3×H×W float RGB in [0, 1], any size, on any device; not modified.
            resolution: as for `preprocess`.
            batch_size: images per chunk; None chooses it by the device.
            progress: called with (images done, total) after each chunk; an exception that it
                raises stops the work.
            fov: horizontal field of view in degrees, for metric models that need it (Depth
                Anything 3): with it they give metres, without it depth without a unit.
            fit: how the network's input size follows from the resolution, instead of the model's
                own way; see `ImageRule`. Models that take only squares ignore it.

        Returns:
            Raw depth B×H×W of the model's kind, or in metres with `fov`.

        Raises:
            TypeError, ValueError: the images or the numbers cannot be used.

        Warns:
            PrecisionWarning: some images were estimated again in float32.
        """
        check_images(images)
        if fov is not None:
            check_fov(fov)
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1 (or None).")
        rule = self.config.image.with_fit(fit)
        height, width = images.shape[-2:]
        size = self._network_size(images, resolution, rule)
        values = torch.empty(len(images), height, width)
        sky = torch.empty_like(values) if self.config.head.sky else None
        again = 0
        chunks = run_in_chunks(
            lambda part: self._run(images[part], rule, size),
            len(images),
            batch_size or auto_chunk(self.device, size),
            self.device,
            progress,
            self.config.images_together,
        )
        for part, (depth, degenerate) in chunks:
            values[part] = depth.depth
            if sky is not None and depth.sky is not None:
                sky[part] = depth.sky
            again += degenerate
        if again:
            notice = PrecisionWarning(again, format_dtype(self.dtype))
            warnings.warn(notice, stacklevel=3)  # 3: the decorator has a frame of its own
        factor = self._metres_per_unit(fov, size[1])
        camera = None if fov is None else intrinsics_of_fov(fov, width, height)
        return Depth(
            values=values if factor is None else values.mul_(factor),
            kind=self.config.kind if factor is None else "metres",
            sky=sky,
            intrinsics=None if camera is None else camera.expand(len(images), 3, 3),
            checkpoint=self.inspection.path.name,
        )

    def _run(self, images: Tensor, rule: ImageRule, size: Size) -> tuple[Prediction, int]:
        """Estimate one chunk at the images' size; also returns how many images were run again."""
        image_size = (images.shape[-2], images.shape[-1])
        if images.itemsize > exact_dtype(self.device).itemsize:
            images = images.float()
        inputs = to_network(images.to(self.device), rule, size)
        depth, sky = self.net.predict(inputs.to(self.dtype))
        degenerate = find_degenerate(depth) if depth.itemsize < 4 else []
        if degenerate:
            depth, sky = depth.float(), None if sky is None else sky.float()
            with in_float32(self.net, self.dtype, self.casts_weights):
                for number in degenerate:
                    exact = self.net.predict(inputs[number : number + 1])
                    depth[number] = exact.depth[0]
                    if sky is not None and exact.sky is not None:
                        sky[number] = exact.sky[0]
        if sky is not None:
            depth = fill_sky(depth.float(), sky.float())
            sky = to_image(sky, rule, image_size)
        return Prediction(to_image(depth, rule, image_size), sky), len(degenerate)

    def _metres_per_unit(self, fov: float | None, network_width: int) -> float | None:
        """The factor from depth to metres: the focal length in pixels times a constant, or None."""
        if fov is None or self.config.head.metres_per_focal is None:
            return None
        focal = 0.5 * network_width / math.tan(math.radians(fov) / 2)
        return focal * self.config.head.metres_per_focal

    def _network_size(self, images: Tensor, resolution: int | None, rule: ImageRule) -> Size:
        minimum = 1 if rule.fit == "square" else rule.multiple
        if resolution is not None and resolution < minimum:
            raise ValueError(
                f"resolution is {resolution}; it must be at least {minimum} pixels. This model's "
                f"default is {rule.side}."
            )
        height, width = images.shape[-2:]
        size = network_size((height, width), rule, resolution)
        if size[0] * size[1] > MAX_INPUT_PIXELS:
            raise ValueError(
                f"Images of {width}×{height} pixels would enter the network at "
                f"{size[1]:,}×{size[0]:,}. Crop them to a less elongated shape, or choose a "
                "lower resolution."
            )
        return size
