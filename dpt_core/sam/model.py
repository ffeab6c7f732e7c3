"""A loaded Segment Anything model: images and prompts in, masks out."""

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..checkpoint.inspection import Inspection
from ..images import check_images
from ..progress import Progress
from .automatic import AutomaticMasks, find_masks
from .config import SAMConfig
from .crops import MaskRules, count_batches
from .mask_decoder import LowResMasks
from .network import SAM
from .preprocessing import Size, to_image, to_network
from .prompt_encoder import Prompts
from .prompts import make_prompts

THRESHOLD = 0.0  # logits above this are in the mask
PROMPT_CHUNK = 16  # prompts that are decoded at once: about 20 MB each


@dataclass(frozen=True, eq=False)
class SamEmbedding:
    """The image encoder's output for B images, which prompts are decoded with.

    ``embedding[i]`` is that of one image, still with B = 1; ``len(embedding)`` is B.

    Attributes:
        features: B×C×h×w float32 on the CPU.
        image_size: height and width of the images in pixels.
    """

    features: Tensor
    image_size: Size

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int) -> "SamEmbedding":
        return SamEmbedding(self.features[index].unsqueeze(0), self.image_size)


class Masks(NamedTuple):
    """M masks for each of N prompts.

    Attributes:
        masks: N×M×H×W bool at the image's size, on the CPU like all the rest.
        logits: N×M×H×W float32, the same before the threshold of 0.
        iou: N×M float32, the model's own estimate of their quality, about 0 to 1.
        low_res_logits: N×M×h×w float32; one of them (N×1×h×w) can be the mask of another prompt.
    """

    masks: Tensor
    logits: Tensor
    iou: Tensor
    low_res_logits: Tensor


@dataclass
class SamModel:
    """A Segment Anything network that knows its own preprocessing.

    Attributes:
        config: everything that defines it.
        net: the network.
        inspection: where it comes from.
        device: where it computes; a host that moves the weights by itself sets this.
        dtype: what it computes in.
    """

    config: SAMConfig
    net: SAM
    inspection: Inspection[SAMConfig]
    device: torch.device
    dtype: torch.dtype

    def preprocess(self, images: Tensor) -> Tensor:
        """B×3×H×W float in [0, 1] → the network's float32 input, on the CPU."""
        check_images(images)
        return torch.cat([to_network(image, self.config.encoder.side) for image in images])

    @torch.no_grad()
    def encode_image(self, images: Tensor, progress: Progress | None = None) -> SamEmbedding:
        """Encode images, one at a time: the part of the work that does not depend on prompts.

        Args:
            images: B×3×H×W float RGB in [0, 1], any size, on any device; never changed.
            progress: called with (images done, images in all) after each image; an
                exception that it raises ends the work.

        Raises:
            TypeError, ValueError: the images cannot be used.
        """
        check_images(images)
        encoder = self.config.encoder
        features = torch.empty(len(images), self.config.width, encoder.grid, encoder.grid)
        for number, image in enumerate(images):
            inputs = to_network(image, encoder.side).to(self.device, self.dtype)
            features[number] = self.net.image_encoder(inputs)[0]
            if progress is not None:
                progress(number + 1, len(images))
        return SamEmbedding(features, (images.shape[-2], images.shape[-1]))

    @torch.no_grad()
    def predict(
        self,
        embedding: SamEmbedding,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
        mask: Tensor | None = None,
        multimask: bool = True,
    ) -> Masks:
        """Masks for N prompts on one image; a prompt may combine points, a box and a mask.

        Args:
            embedding: of one image; choose one of several with ``embedding[i]``.
            points: N×P×2 pixels (x, y) of the original image, from its upper left corner.
            labels: N×P: 1 foreground, 0 background, −1 padding where a prompt has fewer points.
            boxes: N×4 pixels (x, y, x, y): upper left and lower right corner.
            mask: N×1×h×w logits, such as one of the `low_res_logits` of an earlier result.
            multimask: three masks per prompt (whole, part and sub-part, for an ambiguous
                prompt), or one.

        Raises:
            TypeError, ValueError: a prompt cannot be used: for example it is outside the image,
                a box has no area, or there are not as many labels as points.
        """
        if len(embedding) != 1:
            raise ValueError(
                f"The embedding is of {len(embedding)} images, and prompts are for one; choose it "
                "with embedding[i]."
            )
        side = self.config.encoder.side
        size = embedding.image_size
        prompts = make_prompts(points, labels, boxes, mask, size, side, self.config.low_res)
        decoder, low_side = self.config.decoder, self.config.low_res
        each = decoder.mask_tokens - 1 if multimask else 1
        low_res = torch.empty(prompts.num_prompts, each, low_side, low_side)
        logits = torch.empty(prompts.num_prompts, each, *size)
        iou = torch.empty(prompts.num_prompts, each)
        for first in range(0, prompts.num_prompts, PROMPT_CHUNK):
            chunk = slice(first, first + PROMPT_CHUNK)
            result = self.decode(embedding.features, prompts.select(chunk), multimask)
            low_res[chunk], iou[chunk] = result.logits, result.iou
            for number, masks in enumerate(result.logits, first):
                # One at a time: the step in between is as large as the network's input.
                logits[number] = to_image(masks.unsqueeze(0), side, size)[0]
        return Masks(logits > THRESHOLD, logits, iou, low_res)

    @torch.no_grad()
    def generate(
        self, images: Tensor, rules: MaskRules | None = None, progress: Progress | None = None
    ) -> list[AutomaticMasks]:
        """Masks of everything in each image, prompted with a grid of points.

        Args:
            images: B×3×H×W float RGB in [0, 1].
            rules: how many points, and which masks are kept; None for the official rules.
            progress: called with (batches of points done, batches in all) after each batch; an
                exception that it raises ends the work.

        Returns:
            The masks of each image, the best quality first (with crops, those of the smallest
            crops first).

        Raises:
            TypeError, ValueError: the images cannot be used.
        """
        check_images(images)
        rules = rules or MaskRules()
        total = len(images) * count_batches((images.shape[-2], images.shape[-1]), rules)
        counter = itertools.count(1)

        def done() -> None:
            if progress is not None:
                progress(next(counter), total)

        return [find_masks(self, image, rules, done) for image in images]

    def decode(self, features: Tensor, prompts: Prompts, multimask: bool) -> LowResMasks:
        """Masks for prompts in the network's coordinates, all at once, on the model's device.

        Args:
            features: 1×C×h×w of an embedding.
            prompts: as `make_prompts` gives them.
            multimask: as for `predict`.
        """
        features = features.to(self.device, self.dtype)
        return self.net.decode(features, prompts.to(self.device), multimask).float()
