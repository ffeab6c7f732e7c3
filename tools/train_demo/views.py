"""Where the camera stands, what lights a scene, and what lies far behind it."""

import math

from .scene import Scene
from .things import GREEN


def look(s: Scene, height: float, pitch: float = 0.0, spread: float = 10.0) -> None:
    """Place the camera: metres above the ground, degrees down, and their spread."""
    s.eye = (0.0, height, 0.0)
    s.pitch = math.radians(pitch + float(s.rng.normal(0, spread)))
    s.yaw = float(s.rng.normal(0, 0.25))
    s.roll = math.radians(float(s.rng.normal(0, 4)))
    s.fov = s.uniform(35, 80)


def sun(s: Scene) -> None:
    height, around = math.radians(s.uniform(12, 80)), s.uniform(0, 6.3)
    far = 1e4
    s.light = (
        far * math.cos(height) * math.cos(around),
        far * math.sin(height),
        far * math.cos(height) * math.sin(around),
    )
    s.ambient = s.uniform(0.25, 0.9)
    if s.chance(0.35):
        s.fog = s.spread(0.001, 0.03)


def look_close(s: Scene, spread: float, fov: tuple[float, float]) -> None:
    """A camera that looks straight ahead by daylight, a field of view between two angles."""
    look(s, 1.5, 0, spread)
    s.yaw = 0.0
    s.fov = s.uniform(*fov)
    sun(s)


def lamp(s: Scene, wide: float, high: float, deep: float) -> None:
    s.indoor = True
    s.light = (s.uniform(-0.4, 0.4) * wide, high * s.uniform(0.7, 0.97), s.uniform(0.1, 0.9) * deep)
    s.ambient = s.uniform(0.4, 0.9)


def ahead(s: Scene, near: float, far: float) -> tuple[float, float]:
    """A place on the ground in front of the camera, near ones as likely as far ones."""
    z = s.spread(near, far)
    return s.uniform(-0.75, 0.75) * z + math.sin(s.yaw) * z, z


def horizon(s: Scene) -> None:
    """Hills, mountains, a row of trees or houses, or nothing, far away."""
    for _ in range(s.count(0, 5)):
        far = s.spread(60, 900)
        across, high = s.uniform(-1, 1) * far, far * s.uniform(0.03, 0.3)
        wide = far * s.uniform(0.2, 0.7)
        matter = s.material(wide * 0.3, GREEN if s.chance(0.5) else None)
        if s.chance(0.35):
            s.stand("cone", across, far, (2 * wide, high * 2, 2 * wide), matter)
        else:
            s.add("ellipsoid", (across, 0, far), (wide, high, wide * 0.6), matter)


def far_behind(s: Scene, behind: float) -> None:
    """A wall or open country at this distance, with things before it."""
    if s.chance(0.5):
        s.stand("box", 0, behind, (900, 900, 0.1), s.material(behind), base=-400)
    else:
        horizon(s)
    for _ in range(s.count(0, 6)):
        at = (s.uniform(-0.7, 0.7) * behind, 1.5 + s.uniform(-0.6, 0.5) * behind)
        part = behind * s.uniform(0.05, 0.25)
        far = behind * s.uniform(0.6, 0.95)
        s.add("ellipsoid", (*at, far), (part, part, part * 0.5))
