"""An endless stream of new pictures: a pool of renderings, each used a few times."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from .camera import crop, photograph
from .render import Rendered, render
from .scene import Scene
from .scene_types import TRAINED, SceneType
from .textures import make_atlas

TEXTURES = 384
GROUP = 8  # scenes of one type that are rendered together


def render_random(
    rng: Generator, scene_types: Sequence[SceneType], count: int, side: int, atlas: Sequence[Tensor]
) -> Rendered:
    """Render `count` scenes of one type, chosen at random, at side×side pixels."""
    fill = scene_types[int(rng.integers(len(scene_types)))]
    scenes = [Scene(rng) for _ in range(count)]
    for scene in scenes:
        fill(scene)
    return render(scenes, (side, side), atlas, rng)


class Stream:
    """Batches of pictures and inverse depth; the only state to save is the random generator.

    Args:
        rng: decides everything.
        photographs: H×W×3 uint8, to cut textures from.
        pool: number of renderings kept, each replaced by a new one in turn.
        reuse: how often each is used, with another crop and exposure every time.
    """

    def __init__(
        self,
        rng: Generator,
        photographs: Sequence[np.ndarray],
        pool: int = 1024,
        reuse: float = 3,
    ) -> None:
        self.rng, self.photographs, self.pool, self.reuse = rng, photographs, pool, reuse
        self.rendered = 0
        self._start(0)

    def _start(self, side: int) -> None:
        self.images = torch.empty(self.pool, 3, side, side, dtype=torch.float16)
        self.depth = torch.empty(self.pool, side, side)
        self.filled = self.next = 0
        self.owed = 0.0

    def _render(self) -> None:
        if self.rendered % (GROUP * 500) == 0:
            self.atlas = make_atlas(self.rng, self.photographs, TEXTURES)
        fresh = render_random(self.rng, TRAINED, GROUP, self.images.shape[-1], self.atlas)
        self.images[self.next : self.next + GROUP] = fresh.images.half()
        self.depth[self.next : self.next + GROUP] = fresh.depth
        self.next = (self.next + GROUP) % len(self.images)
        self.filled = min(self.filled + GROUP, len(self.images))
        self.rendered += GROUP

    def batch(self, count: int, size: tuple[int, int], side: int) -> tuple[Tensor, Tensor]:
        """Pictures B×3×H×W in [0, 1] and inverse depth B×H×W in 1/metre, 0 for the sky.

        Args:
            count: B.
            size: H and W.
            side: of the renderings that pictures are cropped from; another side starts a new pool.
        """
        if side != self.images.shape[-1]:
            self._start(side)
        self.owed += count / self.reuse
        while self.owed > 0 or self.filled < 2 * count:
            self._render()
            self.owed -= GROUP
        chosen = torch.from_numpy(self.rng.choice(self.filled, count, replace=False))
        images, depth = crop(self.images[chosen].float(), self.depth[chosen], size, self.rng)
        return photograph(images, depth, self.rng), 1 / depth
