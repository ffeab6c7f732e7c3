"""MiDaS's loss (arXiv:1907.01341): inverse depth up to scale and shift, and its gradients."""

import torch.nn.functional as F
from torch import Tensor


def standardise(inverse: Tensor) -> Tensor:
    """Shift and scale each map B×H×W: median 0, mean absolute deviation 1."""
    flat = inverse.flatten(1)
    flat = flat - flat.median(dim=1, keepdim=True).values
    return (flat / flat.abs().mean(dim=1, keepdim=True).clamp_min(1e-3)).view_as(inverse)


def gradient_loss(difference: Tensor, scales: int = 4) -> Tensor:
    """Mean absolute gradient of the difference B×H×W, summed over a pyramid."""
    total = difference.new_zeros(())
    for _ in range(scales):
        across = (difference[:, :, 1:] - difference[:, :, :-1]).abs().mean()
        down = (difference[:, 1:] - difference[:, :-1]).abs().mean()
        total = total + across + down
        difference = F.avg_pool2d(difference[:, None], 2)[:, 0]
    return total


def depth_loss(logits: Tensor, inverse: Tensor) -> Tensor:
    """The loss of logits B×H×W against true inverse depth B×H×W, which is 0 for the sky.

    Each image is scaled to a deviation of 1, so that near scenes do not outweigh far ones. Flat
    images are left out, since there is nothing to learn from them. Logits below zero, which a
    ReLU will cut off, cost a little, and so does a scale far from 1: otherwise the decoder's
    weights grow without end and learn less and less.
    """
    spread = inverse.flatten(1).std(dim=1) / inverse.flatten(1).mean(dim=1).clamp_min(1e-9)
    good = spread > 0.02
    if not good.any():
        return logits.sum() * 0
    target = standardise(inverse[good] / inverse[good].flatten(1).mean(dim=1)[:, None, None])
    target = target.clamp(max=8)
    difference = standardise(logits[good]) - target
    below = F.relu(0.05 - logits).mean()
    flat = logits[good].flatten(1)
    scale = (flat - flat.mean(dim=1, keepdim=True)).abs().mean(dim=1)
    drift = scale.clamp_min(1e-6).log().square().mean()
    return difference.abs().mean() + 0.5 * gradient_loss(difference) + 0.2 * below + 0.01 * drift
