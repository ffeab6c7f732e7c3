"""How much memory a model needs for its work, so that ComfyUI can make room for it.

Weights are not part of it: ComfyUI counts those itself.
"""

from typing import NamedTuple

import comfy.model_management as management  # pyright: ignore[reportMissingImports]
import torch

from ...dpt_core import DPTConfig, SAMConfig, ViTConfig
from ...dpt_core.depth.config import SwinConfig
from ...dpt_core.depth.heads.bands import GPU_BAND_BYTES
from ...dpt_core.depth.preprocessing import Size
from ...dpt_core.layers.relative_bias import CACHE_BYTES
from ...dpt_core.sam.image_encoder import BIAS_BYTES
from ...dpt_core.sam.model import PROMPT_CHUNK

# Input pixels along each side of a cell of the finest reassembled map: ×4 of 14-pixel patches.
# Other patches are larger, so this errs on the safe side.
CELL = 3.5
# The maps that are alive when the last fused map is made, in units of the finest reassembled map.
# The finest fused map has twice its sides, so it counts 4; the coarser maps of either kind add up
# to a third of the finest.
FUSED = 4 + 1 + 1 / 4 + 1 / 16
REASSEMBLED = 1 + 1 / 4 + 1 / 16 + 1 / 64
MAPS = FUSED + REASSEMBLED + 1  # 1: the map that the finest fused map is resized from
MARGIN = 1.4  # for convolution workspaces, the encoder's tokens and the allocator's rounding


class WorkingMemory(NamedTuple):
    """Bytes that the work takes, without the weights."""

    per_image: int
    per_chunk: int

    def for_images(self, count: int) -> int:
        """Bytes for a chunk of this many images."""
        return self.per_image * count + self.per_chunk


def depth_working_memory(
    config: DPTConfig, image: Size, network: Size, itemsize: int
) -> WorkingMemory:
    """What a depth model works in on a GPU, rounded up.

    For each image, the larger of two peaks counts. One is when a photograph is resized. The other
    is when the last fused map is made: a decoder of F channels then holds MAPS × F numbers a
    cell. In the head only the fused maps are left, and bands of rows of its own maps, whose size
    does not depend on the number of images.

    Args:
        config: the model.
        image: height and width of the images.
        network: height and width at which they enter the network.
        itemsize: bytes of a number in the network.
    """
    photograph = image[0] * image[1]
    pixels = network[0] * network[1]
    resizing = 3 * photograph * (4 + 8) + 3 * pixels * (8 + 8 + 4)  # float32 and float64
    maps = MAPS * config.features * pixels / CELL**2 * itemsize
    network_bytes = maps + 3 * pixels * 4  # and the input in float32
    result = photograph * 4
    per_image = int(MARGIN * (max(resizing, network_bytes) + result))
    bands = 3 * GPU_BAND_BYTES  # a band, and the two copies of rows that it is made from
    return WorkingMemory(per_image, _bias_bytes(config, network, itemsize) + bands)


def has_relative_positions(config: DPTConfig) -> bool:
    """Whether positions are biases on the attention, as in BEiT and Swin."""
    encoder = config.encoder
    return isinstance(encoder, SwinConfig) or (
        isinstance(encoder, ViTConfig) and encoder.positions == "relative"
    )


def _bias_bytes(config: DPTConfig, network: Size, itemsize: int) -> int:
    """Relative position biases, which all images of a chunk share."""
    encoder = config.encoder
    if not has_relative_positions(config):
        return 0
    if not isinstance(encoder, ViTConfig):
        return CACHE_BYTES  # Swin's windows are small, so a bias outside the cache is negligible
    rows, columns = (side // encoder.patch for side in network)
    # The cache, and one bias that no longer fits into it.
    return CACHE_BYTES + encoder.heads * (1 + rows * columns) ** 2 * itemsize


def sam_working_bytes(config: SAMConfig, itemsize: int, prompts: int = PROMPT_CHUNK) -> int:
    """What Segment Anything works in on the device, rounded up.

    The larger of the encoder's peak, in a feed-forward layer or in the attention of a global
    block, and the decoder's.

    Args:
        config: the model.
        itemsize: bytes of a number in the network.
        prompts: how many go through the decoder at once.
    """
    encoder = config.encoder
    tokens = encoder.grid**2
    maps = tokens * (6 * encoder.width + 2 * encoder.mlp_hidden) * itemsize
    first, second = config.decoder.upscaled
    upscaled = tokens * (4 * 3 * first + 16 * 3 * second)
    attended = tokens * (4 * config.width + 4 * config.decoder.cross_width)
    return max(maps + 4 * BIAS_BYTES, prompts * (upscaled + attended) * itemsize)


def free_cpu_memory() -> int:
    """Bytes of main memory that can be taken without swapping."""
    return management.get_free_memory(torch.device("cpu"))
