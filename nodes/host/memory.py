"""How much memory a model works in on the device, so that the host can make room for it."""

from typing import NamedTuple

from ...dpt_core import DPTConfig, ViTConfig
from ...dpt_core.depth.config import SwinConfig
from ...dpt_core.depth.heads.bands import GPU_BAND_BYTES
from ...dpt_core.depth.preprocessing import Size
from ...dpt_core.layers.relative_bias import CACHE_BYTES

FINEST = 3.5  # pixels of the network's input to a cell of the finest map: ×4 of 14-pixel patches
RESERVE = 1.4  # the encoder's tokens, convolutions' workspace, the allocator's rounding


def has_relative_positions(config: DPTConfig) -> bool:
    """Whether positions are biases on the attention, as in BEiT and Swin."""
    encoder = config.encoder
    return isinstance(encoder, SwinConfig) or (
        isinstance(encoder, ViTConfig) and encoder.positions == "relative"
    )


class Room(NamedTuple):
    """Working memory in bytes, without the weights."""

    per_image: int
    per_chunk: int

    def of(self, images: int) -> int:
        """For a chunk of so many images."""
        return self.per_image * images + self.per_chunk


def working_room(config: DPTConfig, image: Size, network: Size, itemsize: int) -> Room:
    """What a model needs, a little more than measured for every family.

    Args:
        config: the model.
        image: height and width of the images.
        network: the size at which they enter the network.
        itemsize: bytes of a number in the network.
    """
    biases = _biases(config, network, itemsize)
    bands = 3 * GPU_BAND_BYTES  # one of the head, and the two copies of rows that it is made from
    return Room(_per_image(config, image, network, itemsize), biases + bands)


def _per_image(config: DPTConfig, image: Size, network: Size, itemsize: int) -> int:
    """The tensors that are alive together at the two peaks.

    One is when a photograph is resized, the other where the last fused map is made, which
    outweighs the encoder's in every family.
    """
    photograph = image[0] * image[1]
    pixels = network[0] * network[1]

    resizing = 3 * photograph * (4 + 8) + 3 * pixels * (8 + 8 + 4)  # float32 and float64
    fused = pixels / FINEST**2 * config.features * (4 + 2)  # and what it is resized from
    network_bytes = fused * itemsize + 3 * pixels * 4
    result = photograph * 4
    return int(RESERVE * (max(resizing, network_bytes) + result))


def _biases(config: DPTConfig, network: Size, itemsize: int) -> int:
    """Relative position biases, which all images of a chunk share."""
    encoder = config.encoder
    if not has_relative_positions(config):
        return 0
    if not isinstance(encoder, ViTConfig):
        return CACHE_BYTES  # Swin's windows are small: a bias outside of the cache is too
    rows, columns = (side // encoder.patch for side in network)
    # And one that the cache has no room for.
    return CACHE_BYTES + encoder.heads * (1 + rows * columns) ** 2 * itemsize
