"""The objects in scenes: people, trees, furniture, houses, cars."""

import math

from .scene import Scene, Vector

GREEN: Vector = (0.2, 0.35, 0.12)
BROWN: Vector = (0.3, 0.22, 0.15)


def person(s: Scene, x: float, z: float, base: float = 0.0, tall: float | None = None) -> None:
    """A standing figure of 6 solids."""
    tall = s.uniform(1.5, 1.9) if tall is None else tall
    yaw, stride = s.uniform(0, 6.3), s.uniform(0.08, 0.2) * tall / 1.7
    across = (math.cos(yaw), math.sin(yaw))
    trousers, shirt, skin = s.material(0.4), s.material(0.4), s.material(0.3, (0.6, 0.42, 0.33))
    leg, torso = 0.47 * tall, 0.36 * tall
    for side in (-1, 1):
        dx, dz = side * stride * across[0] / 2, side * stride * across[1] / 2
        size = (0.09 * tall, leg, 0.09 * tall)
        s.stand("cylinder", x + dx, z + dz, size, trousers, base=base)
        reach = 0.15 * tall * side
        s.add(
            "cylinder",
            (x + reach * across[0], base + leg + 0.5 * torso, z + reach * across[1]),
            (0.03 * tall, 0.19 * tall, 0.03 * tall),
            shirt,
            turn=s.uniform(-0.4, 0.4),
        )
    middle = (x, base + leg + 0.47 * torso, z)
    s.add("ellipsoid", middle, (0.13 * tall, 0.56 * torso, 0.09 * tall), shirt, yaw=-yaw)
    s.add("ellipsoid", (x, base + 0.925 * tall, z), (0.05 * tall, 0.07 * tall, 0.06 * tall), skin)


def bust(s: Scene, x: float, eyes: float, z: float) -> None:
    """Head, hair, neck, shoulders and arms of a person, `eyes` metres up: 7 to 11 solids."""
    skin = s.material(0.3, (0.6, 0.42, 0.33))
    shirt, hair = s.material(0.4), s.material(0.15)
    yaw, wide = s.uniform(-0.9, 0.9), s.uniform(0.85, 1.15)
    across, ahead = (math.cos(yaw), -math.sin(yaw)), (-math.sin(yaw), -math.cos(yaw))

    def put(
        shape: str, side: float, up: float, front: float, half: Vector, material: int | None
    ) -> None:
        at_x = x + side * across[0] + front * ahead[0]
        at_z = z + side * across[1] + front * ahead[1]
        s.add(shape, (at_x, eyes + up, at_z), half, material, yaw)

    put("ellipsoid", 0, -0.01, 0, (0.075 * wide, 0.115, 0.095), skin)
    put("ellipsoid", 0, 0.03, -0.02, (0.085 * wide, 0.105, 0.095), hair)
    put("cone", 0, -0.03, 0.095, (0.014, 0.03, 0.02), skin)
    put("cylinder", 0, -0.15, -0.02, (0.05 * wide, 0.09, 0.05), skin)
    put("ellipsoid", 0, -0.52, -0.03, (0.21 * wide, 0.34, 0.13), shirt)
    for side in (-1, 1):
        put("ellipsoid", side * 0.2 * wide, -0.42, -0.01, (0.07, 0.22, 0.08), shirt)
    if s.chance(0.4):  # long hair
        put("ellipsoid", 0, -0.12, -0.08, (0.11 * wide, s.uniform(0.15, 0.3), 0.06), hair)
    if s.chance(0.2):  # a hat
        put("cylinder", 0, 0.08, -0.01, (s.uniform(0.1, 0.2), 0.012, s.uniform(0.1, 0.2)), hair)
        put("cylinder", 0, 0.13, -0.01, (0.09, 0.06, 0.1), hair)
    if s.chance(0.35):  # something held
        shape = ("box", "ellipsoid", "cylinder")[s.integer(0, 2)]
        half = (s.uniform(0.04, 0.2), s.uniform(0.04, 0.2), s.uniform(0.02, 0.15))
        put(shape, s.uniform(-0.2, 0.2), s.uniform(-0.6, -0.3), s.uniform(0.2, 0.4), half, None)


def animal(s: Scene, x: float, z: float, tall: float) -> None:
    """An animal on four legs or lying, with ears and a tail: 7 to 11 solids."""
    fur = s.material(0.4 * tall)
    other = s.material(0.4 * tall) if s.chance(0.3) else fur
    yaw, long = s.uniform(0, 6.3), tall * s.uniform(0.45, 0.8)
    ahead, across = (math.sin(yaw), math.cos(yaw)), (math.cos(yaw), -math.sin(yaw))
    leg = 0.0 if s.chance(0.35) else tall * s.uniform(0.25, 0.5)
    thick = tall * s.uniform(0.18, 0.28)

    def put(
        shape: str,
        side: float,
        up: float,
        front: float,
        half: Vector,
        material: int,
        turn: float = 0,
    ) -> None:
        at_x = x + side * across[0] + front * ahead[0]
        at_z = z + side * across[1] + front * ahead[1]
        s.add(shape, (at_x, up, at_z), half, material, yaw, turn=turn)

    back = leg + thick
    put("ellipsoid", 0, back, 0, (thick, thick, long), fur)
    if leg:
        for side in (-1, 1):
            for end in (-1, 1):
                half = (0.05 * tall, leg * 0.7, 0.05 * tall)
                put("cylinder", side * 0.6 * thick, leg * 0.7, end * 0.7 * long, half, fur)
    head = thick * s.uniform(0.55, 0.8)
    up, front = back + thick * s.uniform(0.4, 1.3), long + 0.3 * head
    put("ellipsoid", 0, up, front, (head, head, head), other)
    put(
        "ellipsoid",
        0,
        up - 0.3 * head,
        front + 0.9 * head,
        (0.5 * head, 0.4 * head, 0.6 * head),
        fur,
    )
    for side in (-1, 1):
        ear = (0.3 * head, 0.5 * head, 0.15 * head)
        put("cone", side * 0.6 * head, up + head, front, ear, other, -0.3 * side)
    put("ellipsoid", 0, back, -1.3 * long, (0.05 * tall, 0.05 * tall, 0.5 * long), fur)


def flower(s: Scene, centre: Vector, size: float) -> None:
    """Petals around a disc on a stem, tilted at random: 7 to 18 solids."""
    vivid = (s.uniform(0, 1), s.uniform(0, 1), s.uniform(0, 1))
    petal, tilt = s.material(size, vivid if s.chance(0.6) else None), s.uniform(-1.2, 0.5)
    count, wide, long = s.integer(5, 14), s.uniform(0.12, 0.35), s.uniform(0.35, 0.55)
    cup = s.uniform(-0.3, 0.3)  # how far the tips of the petals are in front of the disc
    for i in range(count):
        angle = 2 * math.pi * i / count + s.uniform(-0.1, 0.1)
        x, y, z = 0.6 * math.cos(angle), 0.6 * math.sin(angle), -cup * 0.6
        up, front = y * math.cos(tilt) - z * math.sin(tilt), y * math.sin(tilt) + z * math.cos(tilt)
        at = (centre[0] + size * x, centre[1] + size * up, centre[2] + size * front)
        s.add("ellipsoid", at, (long * size, wide * size, 0.05 * size), petal, 0, tilt, angle)
    disc = s.uniform(0.15, 0.35) * size
    s.add("ellipsoid", centre, (disc, disc, 0.5 * disc), None, tilt=tilt)
    stem = (0.04 * size, 5 * size, 0.04 * size)
    low = (centre[0], centre[1] - 5 * size, centre[2] + 0.2 * size)
    s.add("cylinder", low, stem, s.material(size, GREEN), turn=s.uniform(-0.1, 0.1))


def tree(s: Scene, x: float, z: float, base: float = 0.0, tall: float | None = None) -> None:
    """A conifer or a tree with a crown, 3 to 6 solids."""
    tall = s.log_uniform(2.5, 14) if tall is None else tall
    bark = s.material(0.5, BROWN)
    leaves = s.material(s.uniform(0.5, 2), GREEN if s.chance(0.7) else None)
    thick = tall * s.uniform(0.03, 0.08)
    if s.chance(0.35):
        s.stand("cylinder", x, z, (thick, 0.3 * tall, thick), bark, base=base)
        for i in range(s.integer(1, 3)):
            wide = tall * s.uniform(0.3, 0.45) * (1 - 0.25 * i)
            low = base + tall * (0.15 + 0.25 * i)
            s.stand("cone", x, z, (wide, tall * 0.5, wide), leaves, base=low)
        return
    trunk = tall * s.uniform(0.35, 0.6)
    s.stand("cylinder", x, z, (thick, trunk, thick), bark, base=base)
    for _ in range(s.integer(2, 5)):
        wide = tall * s.uniform(0.12, 0.25)
        x2, z2 = x + s.uniform(-1, 1) * wide, z + s.uniform(-1, 1) * wide
        up = base + trunk + s.uniform(-0.1, 0.9) * wide
        s.add("ellipsoid", (x2, up, z2), (wide, wide * s.uniform(0.6, 1), wide), leaves)


def table(s: Scene, x: float, z: float, base: float = 0.0) -> tuple[float, float, float]:
    """Add a table of 5 solids; returns its width, depth and height."""
    w, d, h = s.uniform(0.5, 2), s.uniform(0.5, 1.1), s.uniform(0.4, 0.95)
    wood, yaw = s.material(0.8), s.uniform(0, 6.3)
    s.stand("box", x, z, (w, 0.05, d), wood, -yaw, base + h - 0.05)
    for i in (-1, 1):
        for j in (-1, 1):
            dx, dz = 0.45 * w * i, 0.45 * d * j
            at = (dx * math.cos(yaw) - dz * math.sin(yaw), dx * math.sin(yaw) + dz * math.cos(yaw))
            s.stand("box", x + at[0], z + at[1], (0.05, h - 0.05, 0.05), wood, -yaw, base)
    return w, d, h


def chair(s: Scene, x: float, z: float) -> None:
    """A seat on a block or a leg, with a back: 3 solids."""
    yaw, wide, seat = s.uniform(0, 6.3), s.uniform(0.4, 0.6), s.uniform(0.38, 0.55)
    cloth = s.material(0.4)
    s.stand("cylinder", x, z, (0.3 * wide, seat, 0.3 * wide), None)
    s.stand("box", x, z, (wide, 0.08, wide), cloth, -yaw, seat)
    back = (x - 0.47 * wide * math.sin(yaw), z + 0.47 * wide * math.cos(yaw))
    s.stand("box", *back, (wide, s.uniform(0.3, 0.7), 0.06), cloth, -yaw, seat)


def sofa(s: Scene, x: float, z: float, yaw: float) -> None:
    """A sofa or a bed: 2 to 4 solids along its wall."""
    wide, depth, cloth = s.uniform(0.8, 2.4), s.uniform(0.7, 1.1), s.material(0.6)
    c, n = math.cos(yaw), math.sin(yaw)
    s.stand("box", x, z, (wide, s.uniform(0.3, 0.5), depth), cloth, -yaw)
    s.stand(
        "box",
        x - 0.45 * depth * n,
        z + 0.45 * depth * c,
        (wide, s.uniform(0.6, 1), 0.2),
        cloth,
        -yaw,
    )
    if s.chance(0.6):
        for i in (-1, 1):
            at = (x + 0.47 * wide * i * c, z + 0.47 * wide * i * n)
            s.stand("box", *at, (0.15, 0.62, depth), cloth, -yaw)


def car(s: Scene, x: float, z: float, along: bool) -> None:
    """A car of 2 boxes and 2 pairs of wheels."""
    long, wide, paint = s.uniform(3.6, 4.8), s.uniform(1.6, 1.9), s.material(2)
    size: Vector = (wide, 0.65, long) if along else (long, 0.65, wide)
    cabin: Vector = (wide * 0.85, 0.55, long * 0.5) if along else (long * 0.5, 0.55, wide * 0.85)
    s.stand("box", x, z, size, paint, base=0.25)
    s.stand("box", x, z, cabin, s.material(1), base=0.9)
    rubber = s.material(0.5, (0.06, 0.06, 0.06))
    for i in (-1, 1):
        dx, dz = (0.0, 0.32 * long * i) if along else (0.32 * long * i, 0.0)
        half: Vector = (0.33, wide / 2 + 0.01, 0.33)
        tilt, turn = (0.0, math.pi / 2) if along else (math.pi / 2, 0.0)
        s.add("cylinder", (x + dx, 0.33, z + dz), half, rubber, tilt=tilt, turn=turn)


def house(s: Scene, x: float, z: float, size: Vector) -> None:
    """A block with ledges or windows on its front, up to 4 solids."""
    wall = s.material(s.uniform(1.5, 5))
    s.stand("box", x, z, size, wall)
    for _ in range(s.integer(0, 2)):
        up, extra = s.uniform(0.2, 0.9) * size[1], s.uniform(0.1, 0.8)
        s.stand("box", x, z, (size[0] + extra, s.uniform(0.1, 0.6), size[2] + extra), base=up)
    if s.chance(0.3):
        s.stand("box", x, z, (size[0] * 0.6, size[1] * 0.3, size[2] * 0.6), base=size[1])


def anything(s: Scene, x: float, z: float, size: float, base: float = 0.0) -> None:
    """One solid of any shape that stands at height `base`."""
    shape = ("box", "box", "ellipsoid", "cylinder", "cylinder", "cone")[s.integer(0, 5)]
    flat = s.log_uniform(0.35, 2.2)
    full = (size * s.uniform(0.5, 1), size * flat, size * s.uniform(0.5, 1))
    if shape != "box":
        full = (full[0], full[1], full[0])
    s.stand(shape, x, z, full, yaw=s.uniform(0, 6.3), base=base)


def household(s: Scene, x: float, z: float, base: float, size: float = 0.2) -> None:
    """A cup, a bottle, a ball, a book or a bowl, of 1 to 3 solids."""
    choice, material = s.integer(0, 5), s.material(size)
    if choice == 0:
        wide = size * s.uniform(0.35, 0.6)
        s.stand("cylinder", x, z, (wide, size * s.uniform(0.4, 0.9), wide), material, base=base)
        if s.chance(0.6):
            rim = (wide * 2, size * 0.06, wide * 2)
            s.stand("cylinder", x, z, rim, None, base=base)
    elif choice == 1:
        wide = size * s.uniform(0.3, 0.4)
        s.stand("cylinder", x, z, (wide, size, wide), material, base=base)
        s.stand("cone", x, z, (wide, size * 0.6, wide), material, base=base + size)
        s.stand(
            "cylinder", x, z, (wide * 0.35, size * 0.6, wide * 0.35), material, base=base + size
        )
    elif choice == 2:
        wide = size * s.uniform(0.3, 0.8)
        s.stand("ellipsoid", x, z, (wide, wide * s.uniform(0.7, 1.1), wide), material, base=base)
    elif choice == 3:
        for i in range(s.integer(1, 3)):
            thick = size * s.uniform(0.1, 0.2)
            flat = (size * 0.8, thick, size * 1.1)
            s.stand("box", x, z, flat, None, s.uniform(0, 6.3), base + i * size * 0.2)
    elif choice == 4:
        wide = size * s.uniform(0.8, 1.4)
        s.stand("cylinder", x, z, (wide, size * 0.08, wide), material, base=base)
        s.stand("ellipsoid", x, z, (wide * 0.6, size * 0.5, wide * 0.6), None, base=base)
    else:
        anything(s, x, z, size, base)
