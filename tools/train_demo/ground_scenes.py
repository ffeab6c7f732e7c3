"""Scenes on a floor or the ground. The camera looks along +z."""

import math

from .objects import BROWN, GREEN, anything, car, chair, house, household, person, sofa, table, tree
from .scene import Scene
from .staging import add_horizon, add_lamp, add_sun, place_camera, point_ahead


def scatter(s: Scene) -> None:
    """Solids of any kind scattered over a floor, with or without a wall behind them."""
    place_camera(s, s.log_uniform(0.5, 4), s.uniform(0, 25))
    s.ground()
    add_sun(s)
    size, deepest = s.log_uniform(0.3, 2), s.log_uniform(6, 30)
    for _ in range(s.integer(5, 24)):
        x, z = point_ahead(s, 1.2 + size, deepest)
        anything(s, x, z, size * s.log_uniform(0.4, 2.5))
    if s.chance(0.5):
        back = s.material(s.uniform(1, 5))
        s.stand("box", 0, deepest * s.uniform(0.7, 1.5), (400, s.log_uniform(2, 60), 0.5), back)
    else:
        add_horizon(s)


def room(s: Scene) -> None:
    """A furnished room."""
    wide, high, depth = s.uniform(2.5, 9), s.uniform(2.2, 4), s.uniform(3, 12)
    place_camera(s, s.uniform(0.8, 1.9), s.uniform(-5, 20), 7)
    s.fov = s.uniform(45, 85)
    add_lamp(s, wide, high, depth)
    _walls(s, wide, high, depth)
    side = wide / 2 - 0.5
    for _ in range(s.integer(2, 6)):
        choice, x, z = s.integer(0, 5), s.uniform(-side, side), s.uniform(1.4, depth - 0.5)
        edge = s.rng.choice([-1, 1]) * side
        if choice == 0:
            _, _, top = table(s, x, z)
            for _ in range(s.integer(0, 3)):
                household(s, x + s.uniform(-0.2, 0.2), z + s.uniform(-0.2, 0.2), top, 0.25)
        elif choice == 1:
            chair(s, x, z)
        elif choice == 2:
            sofa(s, edge * 0.9, z, math.pi / 2 * s.integer(0, 3))
        elif choice == 3:
            tall = s.uniform(0.6, 2.1)
            s.stand("box", edge * 1.05, z, (0.5, tall, s.uniform(0.5, 2)))
        elif choice == 4:
            anything(s, x, z, s.log_uniform(0.2, 0.9))
        else:
            s.stand("cylinder", x, z, (0.04, 1.5, 0.04))
            s.stand("cone", x, z, (0.4, 0.3, 0.4), base=1.4)
    for _ in range(s.integer(0, 4)):  # pictures, windows, doors
        y, half = s.uniform(1, high - 0.4), (s.uniform(0.2, 0.8), s.uniform(0.2, 0.6), 0.03)
        if s.chance(0.5):
            s.add("box", (s.uniform(-side, side), y, depth), half)
        else:
            at = (s.rng.choice([-1, 1]) * wide / 2, y, s.uniform(1, depth))
            s.add("box", at, (0.03, half[1], half[0]))
    if s.chance(0.25):
        person(s, s.uniform(-side, side), s.uniform(1.5, depth - 0.6))


def _walls(s: Scene, wide: float, high: float, depth: float) -> None:
    """Floor, ceiling and four walls; the camera stands near the fourth."""
    paint = s.material(s.uniform(1, 4))
    s.ground(s.material(s.uniform(0.5, 3)))
    s.add("box", (0, high + 5, 0), (400, 5, 400), s.material(2))
    for sign in (-1, 1):
        side = paint if s.chance(0.7) else s.material(2)
        s.add("box", (sign * (wide / 2 + 0.1), high / 2, depth / 2), (0.1, high, depth), side)
    s.add("box", (0, high / 2, depth + 0.1), (wide, high, 0.1), paint)
    s.add("box", (0, high / 2, -1.1), (wide, high, 0.1), paint)


def corridor(s: Scene) -> None:
    """A long passage with doors, columns or arches."""
    wide, high, depth = s.uniform(1.5, 5), s.uniform(2.3, 5), s.uniform(8, 40)
    place_camera(s, s.uniform(1, 1.8), 2, 5)
    add_lamp(s, wide, high, depth)
    _walls(s, wide, high, depth)
    step, material = s.uniform(1.5, 4), s.material(1)
    proud = s.uniform(0.05, 0.4)
    for i in range(min(7, int(depth / step))):
        for sign in (-1, 1):
            at = (sign * wide / 2, (i + 1) * step)
            if s.chance(0.6):
                s.stand("box", *at, (2 * proud, high * s.uniform(0.8, 1), 0.4), material)
            else:
                s.stand("cylinder", *at, (2 * proud, high, 2 * proud), material)
    for _ in range(s.integer(0, 3)):
        x, z = s.uniform(-0.4, 0.4) * wide, s.uniform(2, depth)
        if s.chance(0.5):
            person(s, x, z)
        else:
            anything(s, x, z, s.log_uniform(0.3, 1.2))


def street(s: Scene) -> None:
    """Houses on both sides, pavements, cars, lamps, trees, people."""
    half = s.uniform(3, 9)
    place_camera(s, s.uniform(1.2, 3.5), 0, 5)
    add_sun(s)
    s.ground(s.material(3, (0.35, 0.35, 0.36)))
    kerb = s.material(2)
    for sign in (-1, 1):
        s.stand("box", sign * (half + 1.5), 100, (3, 0.15, 240), kerb)
        z = s.uniform(-5, 5)
        for _ in range(s.integer(3, 6)):
            long, tall, depth = s.uniform(6, 20), s.log_uniform(4, 25), s.uniform(6, 12)
            x = sign * (half + 3 + depth / 2 + s.uniform(0, 2))
            house(s, x, z + long / 2, (depth, tall, long))
            z += long + (s.uniform(1, 8) if s.chance(0.3) else 0)
    for _ in range(s.integer(0, 3)):
        car(s, s.uniform(-0.8, 0.8) * half, s.log_uniform(5, 60), True)
    for _ in range(s.integer(0, 3)):
        x, z = s.rng.choice([-1, 1]) * (half + s.uniform(0, 2)), s.log_uniform(3, 50)
        if s.chance(0.5):
            s.stand("cylinder", x, z, (0.15, s.uniform(4, 8), 0.15))
        else:
            tree(s, x, z, tall=s.uniform(3, 9))
    for _ in range(s.integer(0, 2)):
        person(s, s.uniform(-1.2, 1.2) * half, s.log_uniform(2.5, 25))
    if s.chance(0.5):
        s.stand("box", 0, s.uniform(40, 120), (60, s.log_uniform(5, 30), 10))


def field(s: Scene) -> None:
    """Open country: trees, rocks, hills and mountains, a fence or a path."""
    place_camera(s, s.log_uniform(0.6, 6), s.uniform(-4, 12), 7)
    add_sun(s)
    s.ground(s.material(s.uniform(1, 8), GREEN if s.chance(0.6) else None))
    add_horizon(s)
    for _ in range(s.integer(0, 4)):
        x, z = point_ahead(s, 4, 60)
        tree(s, x, z)
    for _ in range(s.integer(0, 7)):
        x, z = point_ahead(s, 1.5, 40)
        big = s.log_uniform(0.15, 2)
        half = (big, big * s.uniform(0.4, 0.9), big * s.uniform(0.6, 1))
        s.add("ellipsoid", (x, 0.1 * big, z), half, yaw=s.uniform(0, 6))
    if s.chance(0.4):  # a slope on one side
        sign, far = s.rng.choice([-1, 1]), s.uniform(8, 60)
        wide = far * s.uniform(0.5, 0.9)
        s.add("ellipsoid", (sign * far, 0, far * s.uniform(0.5, 2)), (wide, wide * 0.4, wide * 1.5))
    if s.chance(0.3):
        post, x = s.material(0.5, BROWN), s.uniform(-4, 4)
        for i in range(7):
            s.stand("box", x, 2 + 2.0 * i, (0.1, 1.1, 0.1), post)
        s.add("box", (x, 0.9, 9), (0.03, 0.06, 8), post)
    if s.chance(0.3):
        person(s, *point_ahead(s, 2, 15))


def tabletop(s: Scene) -> None:
    """Small things on a table, from close by."""
    high = s.log_uniform(0.12, 0.7)
    place_camera(s, high, s.uniform(8, 60), 6)
    s.yaw *= 0.5
    add_lamp(s, 1.5, 2.5, 2)
    edge = s.log_uniform(0.6, 3)
    s.add("box", (0, -0.05, 0), (s.uniform(0.6, 3), 0.05, edge), s.material(0.6))
    s.ground(s.material(1.5), y=-0.75)
    if s.chance(0.8):
        s.stand("box", 0, edge * s.uniform(1.05, 3), (30, 30, 0.1), s.material(2), base=-10)
    reach = min(edge, 3 * high + 0.3)
    centre = high / max(math.tan(max(s.pitch, 0.15)), 0.3)
    for _ in range(s.integer(2, 11)):
        z = abs(centre + s.uniform(-0.5, 0.6) * reach) + 0.12
        x = s.uniform(-0.5, 0.5) * (z + 0.1)
        household(s, x, z, 0.0, high * s.log_uniform(0.35, 1.2))


def crowd(s: Scene) -> None:
    """People in front of a wall, houses or open country."""
    place_camera(s, s.uniform(1.0, 2.2), 2, 6)
    add_sun(s)
    s.ground()
    for _ in range(s.integer(1, 6)):
        person(s, *point_ahead(s, 1.3, 18))
    if s.chance(0.5):
        far = s.log_uniform(3, 40)
        s.stand("box", 0, far, (200, s.log_uniform(2.5, 30), 1), s.material(s.uniform(1, 5)))
    else:
        add_horizon(s)
        for _ in range(s.integer(0, 3)):
            tree(s, *point_ahead(s, 4, 40))


def pile(s: Scene) -> None:
    """Blocks stacked into walls, towers and heaps."""
    place_camera(s, s.log_uniform(0.4, 2.5), s.uniform(0, 20), 6)
    add_sun(s)
    s.ground()
    size = s.log_uniform(0.25, 1)
    for _ in range(s.integer(2, 7)):
        x, z = point_ahead(s, 2.5 * size + 0.6, 10 * size + 2)
        x *= 0.7
        base, wide, material = 0.0, size * s.uniform(0.7, 1.6), s.material(size)
        for _ in range(s.integer(1, 5)):
            tall = size * s.uniform(0.3, 1.1)
            shape = "cylinder" if s.chance(0.25) else "box"
            off = s.uniform(-0.15, 0.15) * wide
            full = (wide, tall, wide * s.uniform(0.7, 1))
            fresh = material if s.chance(0.5) else None
            s.stand(shape, x + off, z + off, full, fresh, s.uniform(0, 6.3), base)
            base, wide = base + tall, wide * s.uniform(0.7, 1)
    if s.chance(0.6):
        s.stand("box", 0, 10 * size + s.uniform(2, 10), (200, s.log_uniform(1, 40), 1))
