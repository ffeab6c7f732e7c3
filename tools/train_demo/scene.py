"""One scene as a list of solids, a camera and a light, before it becomes tensors."""

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

Vector = tuple[float, float, float]


@dataclass
class Solid:
    """A unit shape, scaled by the half sizes `half`, turned by `rotation`, moved to `centre`."""

    shape: str
    centre: Vector
    half: Vector
    rotation: np.ndarray
    material: int


@dataclass
class Material:
    """How a surface looks.

    Attributes:
        tint: RGB, the mean colour.
        contrast: how strongly the texture varies around it.
        tile: metres that one copy of the texture covers.
    """

    tint: Vector
    contrast: float
    tile: float


@dataclass
class Scene:
    """Solids in metres (y is up, the ground at 0), a camera, a light and the air."""

    rng: Generator
    solids: list[Solid] = field(default_factory=list)
    materials: list[Material] = field(default_factory=list)
    eye: Vector = (0.0, 1.6, 0.0)
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    fov: float = 60.0
    light: Vector = (1e4, 2e4, -1e4)
    ambient: float = 0.5
    fog: float = 0.0  # rate per metre at which light is lost
    indoor: bool = False

    def uniform(self, low: float, high: float) -> float:
        """A uniformly distributed number between two others."""
        return float(self.rng.uniform(low, high))

    def log_uniform(self, low: float, high: float) -> float:
        """A log-uniformly distributed number between two others: for sizes and distances."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def chance(self, share: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < share)

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def material(self, tile: float = 1.0, tint: Vector | None = None) -> int:
        """Add a material of any colour (or close to `tint`); returns its index."""
        if tint is None:
            grey = self.uniform(0.08, 0.95)
            vivid = 0.4 * self.uniform(0, 1) ** 2
            noise = self.rng.uniform(-1, 1, 3) * vivid
        else:
            grey, noise = 0.0, np.asarray(tint) + self.rng.uniform(-0.12, 0.12, 3)
        red, green, blue = (float(v) for v in np.clip(grey + noise, 0.02, 0.98))
        contrast = self.uniform(0, 0.25) if self.chance(0.4) else self.uniform(0.2, 0.9)
        scale = tile * self.log_uniform(0.4, 2.5)
        self.materials.append(Material((red, green, blue), contrast, scale))
        return len(self.materials) - 1

    def add(
        self,
        shape: str,
        centre: Vector,
        half: Vector,
        material: int | None = None,
        yaw: float = 0.0,
        tilt: float = 0.0,
        turn: float = 0.0,
    ) -> None:
        """Add a solid, turned around y by `yaw`, then z by `turn`, then x by `tilt`, in radians."""
        if material is None:
            material = self.material(tile=2 * max(half))
        rotation = rotation_x(tilt) @ rotation_z(turn) @ rotation_y(yaw)
        self.solids.append(Solid(shape, centre, half, rotation, material))

    def stand(
        self,
        shape: str,
        x: float,
        z: float,
        size: Vector,
        material: int | None = None,
        yaw: float = 0.0,
        base: float = 0.0,
    ) -> None:
        """Add a solid of full `size` (x, y, z) that stands at height `base`."""
        half = (size[0] / 2, size[1] / 2, size[2] / 2)
        self.add(shape, (x, base + half[1], z), half, material, yaw)

    def ground(self, material: int | None = None, y: float = 0.0) -> None:
        """Add an endless floor at height `y`."""
        if material is None:
            material = self.material(tile=self.log_uniform(0.5, 6))
        self.add("box", (0, y - 5, 0), (4000, 5, 4000), material)


def rotation_x(angle: float) -> np.ndarray:
    """Rotation around x, 3×3."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rotation_y(angle: float) -> np.ndarray:
    """Rotation around y, 3×3."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rotation_z(angle: float) -> np.ndarray:
    """Rotation around z, 3×3."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
