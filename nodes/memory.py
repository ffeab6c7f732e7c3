"""How much memory one image takes on the device, so that the host can make room for it."""

from ..dpt_core import DPTConfig
from ..dpt_core.depth.images import Size

FINEST = 3.5  # pixels of the network's input to a cell of the finest map: ×4 of 14-pixel patches
RESERVE = 1.4  # the encoder's tokens, convolutions' workspace, the allocator's rounding


def bytes_per_image(config: DPTConfig, image: Size, network: Size, itemsize: int) -> int:
    """Working memory for one image, without the weights.

    Counts the tensors that are alive together at the two peaks: when a photograph is
    resized, and in the head, whose maps outweigh the encoder's in every family.

    Args:
        config: the model.
        image: height and width of the image.
        network: the size at which it enters the network.
        itemsize: bytes of a number in the network.
    """
    photograph = image[0] * image[1]
    pixels = network[0] * network[1]
    first, second = config.head_channels

    resizing = 3 * photograph * (4 + 8) + 3 * pixels * (8 + 8 + 4)  # float32 and float64
    cells = pixels / FINEST**2
    maps = cells * config.features * 4 / 3  # each of the four has a quarter of the one before
    head = 4 * cells * (config.features + first) + pixels * (first + 2 * second)
    network_bytes = (maps + head) * itemsize + 3 * pixels * 4
    result = photograph * 4
    return int(RESERVE * (max(resizing, network_bytes) + result))
