"""Set up what every scene needs: a camera, a light and a backdrop."""

import math

from .objects import GREEN
from .scene import Scene


def place_camera(s: Scene, height: float, pitch: float = 0.0, spread: float = 10.0) -> None:
    """Place the camera `height` metres above the ground, looking down by about `pitch` degrees.

    `spread` is the standard deviation of the pitch in degrees.
    """
    s.eye = (0.0, height, 0.0)
    s.pitch = math.radians(pitch + float(s.rng.normal(0, spread)))
    s.yaw = float(s.rng.normal(0, 0.25))
    s.roll = math.radians(float(s.rng.normal(0, 4)))
    s.fov = s.uniform(35, 80)


def add_sun(s: Scene) -> None:
    """Add light from far away, at any height and from any side, sometimes with fog."""
    height, around = math.radians(s.uniform(12, 80)), s.uniform(0, 6.3)
    far = 1e4
    s.light = (
        far * math.cos(height) * math.cos(around),
        far * math.sin(height),
        far * math.cos(height) * math.sin(around),
    )
    s.ambient = s.uniform(0.25, 0.9)
    if s.chance(0.35):
        s.fog = s.log_uniform(0.001, 0.03)


def place_close_camera(s: Scene, spread: float, fov: tuple[float, float]) -> None:
    """Place a camera that looks straight ahead in daylight; `fov` is a range of degrees."""
    place_camera(s, 1.5, 0, spread)
    s.yaw = 0.0
    s.fov = s.uniform(*fov)
    add_sun(s)


def add_lamp(s: Scene, wide: float, high: float, depth: float) -> None:
    """Add a lamp below the ceiling of a room."""
    s.indoor = True
    s.light = (
        s.uniform(-0.4, 0.4) * wide,
        high * s.uniform(0.7, 0.97),
        s.uniform(0.1, 0.9) * depth,
    )
    s.ambient = s.uniform(0.4, 0.9)


def point_ahead(s: Scene, near: float, far: float) -> tuple[float, float]:
    """A point x, z on the ground in front of the camera, its distance log-uniform."""
    z = s.log_uniform(near, far)
    return s.uniform(-0.75, 0.75) * z + math.sin(s.yaw) * z, z


def add_horizon(s: Scene) -> None:
    """Add hills, mountains, a row of trees or houses, or nothing, far away."""
    for _ in range(s.integer(0, 5)):
        far = s.log_uniform(60, 900)
        across, high = s.uniform(-1, 1) * far, far * s.uniform(0.03, 0.3)
        wide = far * s.uniform(0.2, 0.7)
        material = s.material(wide * 0.3, GREEN if s.chance(0.5) else None)
        if s.chance(0.35):
            s.stand("cone", across, far, (2 * wide, high * 2, 2 * wide), material)
        else:
            s.add("ellipsoid", (across, 0, far), (wide, high, wide * 0.6), material)


def add_backdrop(s: Scene, behind: float) -> None:
    """Add a wall or open country at this distance, with solids in front of it."""
    if s.chance(0.5):
        s.stand("box", 0, behind, (900, 900, 0.1), s.material(behind), base=-400)
    else:
        add_horizon(s)
    for _ in range(s.integer(0, 6)):
        at = (s.uniform(-0.7, 0.7) * behind, 1.5 + s.uniform(-0.6, 0.5) * behind)
        part = behind * s.uniform(0.05, 0.25)
        far = behind * s.uniform(0.6, 0.95)
        s.add("ellipsoid", (*at, far), (part, part, part * 0.5))
