"""The chest around the lungs: body wall, bones, heart and great vessels, airways, drawn in Hounsfield units.

Knows where things lie at the height of the slice and how people differ. Knows nothing of what is in the
lungs: `slice` fills them. It looks like anatomy; it is none to measure by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from covidct.images.phantoms.canvas import Canvas, Field, Point, join

AIR, FAT, MUSCLE, BLOOD, MARROW, BONE = -1000.0, -105.0, 50.0, 42.0, 90.0, 560.0


@dataclass(frozen=True)
class Anatomy:
    """One person at one height. Lengths in half widths of the picture (about 190 mm)."""

    body: Point  # radii of the skin, of the muscle under the fat, and of the space for the lungs
    chest: Point
    cavity: Point
    shift: Point
    level: float  # 0 at the aortic arch, 1 at the lower heart
    heart: float  # size of the heart, about 1
    ribs: float  # how far along their arcs the ribs are cut

    @property
    def heart_share(self) -> float:
        """How much of the heart is in this slice, 0 to 1."""
        return min(1.0, max(0.0, (self.level - 0.3) / 0.35))


def vary(rng: np.random.Generator) -> Anatomy:
    """Draw one of many people, at one of many heights."""
    width, depth, fat = rng.uniform(0.86, 0.93), rng.uniform(0.62, 0.68), rng.uniform(0.03, 0.075)
    level = rng.uniform(0.1, 0.95)
    chest = (width - fat * 0.9, depth - fat)
    wall = rng.uniform(0.085, 0.11)
    # The cavity narrows towards the apex.
    narrow = 1 - 0.10 * max(0.0, 0.45 - level)
    return Anatomy(
        body=(width, depth),
        chest=chest,
        cavity=((chest[0] - wall * 1.15) * narrow, chest[1] - wall),
        shift=(rng.uniform(-0.02, 0.02), rng.uniform(-0.05, 0.0)),
        level=level,
        heart=rng.uniform(0.9, 1.1),
        ribs=rng.uniform(0, 1),
    )


def bend(canvas: Canvas, seed: int) -> None:
    """Make the shapes of this person irregular."""
    rng = np.random.default_rng([seed, 7])
    canvas.warp(rng, cells=4, amount=0.014)
    canvas.warp(rng, cells=11, amount=0.006)


def place(anatomy: Anatomy, x: float, y: float) -> Point:
    """Give the point (x, y) of the chest on the canvas."""
    return anatomy.shift[0] + x, anatomy.shift[1] + y


def draw_table(canvas: Canvas, anatomy: Anatomy) -> None:
    """Draw the table: two shells of carbon fibre, and foam."""
    top = anatomy.shift[1] + anatomy.body[1] + 0.02 - 0.11 * np.square(canvas.x)
    for depth, thickness, value in ((0.055, 0.055, -910.0), (0.004, 0.009, -350.0), (0.105, 0.009, -350.0)):
        shell = np.minimum(thickness - np.abs(canvas.y - top - depth), 0.72 - np.abs(canvas.x))
        canvas.fill(np.asarray(shell, dtype=np.float32), value)


def draw_wall(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> None:
    """Draw skin, fat and muscle."""
    body = canvas.ellipse(anatomy.shift, anatomy.body, squarish=True)
    canvas.fill(body, 10.0)
    canvas.fill(body - 0.012, FAT + 6 * canvas.noise(rng, cells=30))
    chest = canvas.ellipse(anatomy.shift, anatomy.chest, squarish=True)
    chest += 0.012 * canvas.noise(rng, cells=9)
    canvas.fill(chest, MUSCLE + 6 * canvas.noise(rng, cells=40), edge=0.012)
    # Planes of fat between the layers of muscle.
    depth = chest - 0.05 - 0.012 * canvas.noise(rng, cells=7)
    planes = np.minimum(0.006 - np.abs(depth), 0.03 * (canvas.noise(rng, cells=12) + 0.3))
    canvas.paint(0.8 * canvas.cover(planes, edge=0.012), FAT)


def cavity_field(canvas: Canvas, anatomy: Anatomy) -> Field:
    """Give the field of the space inside the ribs."""
    return canvas.ellipse(place(anatomy, 0, -0.03), anatomy.cavity, squarish=True)


def _mediastinum(canvas: Canvas, anatomy: Anatomy) -> Field:
    """Give the field of all that keeps the lungs apart."""
    back, heart = anatomy.cavity[1], anatomy.heart * (0.55 + 0.45 * anatomy.heart_share)
    shapes: list[tuple[Point, Point, float]] = [
        ((0, back - 0.14), (0.125, 0.20), 0),  # spine
        ((0, 0.03), (0.085, back), 0),  # from front to back
        ((0, -back - 0.02), (0.14, 0.06), 0),  # behind the sternum
        ((0.105, 0.20), (0.085, 0.085), 0),  # descending aorta
        ((-0.16, 0.06), (0.07, 0.06), 0.4),  # hila
        ((0.17, 0.05), (0.07, 0.06), -0.4),
        ((0.0, -0.10), (0.17 - 0.03 * anatomy.heart_share, 0.17), 0),  # great vessels
    ]
    if anatomy.heart_share > 0:
        shapes.append(((0.12, -0.19), (0.34 * heart, 0.25 * heart), 0.5))
        shapes.append(((-0.08, -0.10), (0.16 * heart, 0.23 * heart), 0.1))
    fields = [canvas.ellipse(place(anatomy, *centre), radii, turn=turn) for centre, radii, turn in shapes]
    return join(fields, blend=0.05)


def lung_field(canvas: Canvas, anatomy: Anatomy) -> Field:
    """Give the field of both lungs."""
    cavity = cavity_field(canvas, anatomy) - np.float32(0.012)
    return np.asarray(np.minimum(cavity, -_mediastinum(canvas, anatomy)))


def draw_mediastinum(canvas: Canvas, anatomy: Anatomy, lungs: Field, rng: np.random.Generator) -> None:
    """Draw the heart and the great vessels, in their fat, between the `lungs`."""
    inside = np.minimum(cavity_field(canvas, anatomy), 0.02 - lungs)
    canvas.fill(inside, MUSCLE + 5 * canvas.noise(rng, cells=40))
    fat = canvas.ellipse(place(anatomy, 0, -0.12), (0.30, 0.36)) + 0.03 * canvas.noise(rng, cells=11)
    canvas.fill(np.minimum(fat, inside), FAT + 8 * canvas.noise(rng, cells=30), edge=0.03)
    share, size = anatomy.heart_share, anatomy.heart * (0.55 + 0.45 * anatomy.heart_share)
    vessels: list[tuple[Point, Point, float]] = [
        ((0.105, 0.20), (0.068, 0.068), 0),  # descending aorta
        ((0.02, 0.16), (0.035, 0.022), 0.2),  # oesophagus
        ((-0.13, -0.10), (0.045, 0.05), 0),  # superior vena cava
    ]
    if share > 0:
        vessels.append(((0.12, -0.19), (0.315 * size, 0.225 * size), 0.5))
        vessels.append(((-0.08, -0.10), (0.14 * size, 0.21 * size), 0.1))
    elif anatomy.level < 0.2:
        vessels.append(((0.03, -0.06), (0.19, 0.065), 0.9))  # aortic arch
    if share < 1:
        vessels.append(((-0.04, -0.14), (0.08, 0.085), 0))  # ascending aorta
        vessels.append(((0.09, -0.13), (0.07, 0.10), 0.5))  # pulmonary trunk
    for centre, radii, turn in vessels:
        canvas.fill(canvas.ellipse(place(anatomy, *centre), radii, turn=turn), BLOOD, edge=0.015)


def draw_bones(canvas: Canvas, anatomy: Anatomy) -> None:
    """Draw spine, sternum, ribs and shoulder blades."""
    back = anatomy.cavity[1] - 0.16
    front = -anatomy.cavity[1] - 0.065
    bones = [
        canvas.ellipse(place(anatomy, 0, back), (0.105, 0.08), squarish=True),  # vertebral body
        canvas.ellipse(place(anatomy, 0, back + 0.20), (0.02, 0.085)),  # spinous process
        canvas.ellipse(place(anatomy, -0.125, back + 0.125), (0.085, 0.025), turn=-0.35),
        canvas.ellipse(place(anatomy, 0.125, back + 0.125), (0.085, 0.025), turn=0.35),
        canvas.ellipse(place(anatomy, 0, back + 0.105), (0.072, 0.068)),  # arch
        canvas.ellipse(place(anatomy, 0, front), (0.10, 0.026), squarish=True),  # sternum
        *_ribs(canvas, anatomy),
    ]
    for bone in bones:
        _draw_bone(canvas, bone)
    canal = canvas.ellipse(place(anatomy, 0, back + 0.105), (0.047, 0.043))
    canvas.fill(canal, 25.0)


def _draw_bone(canvas: Canvas, bone: Field) -> None:
    canvas.fill(bone, BONE)
    canvas.fill(bone - np.float32(0.011), MARROW, edge=0.01)


def _ribs(canvas: Canvas, anatomy: Anatomy) -> list[Field]:
    """Give the fields of ribs and shoulder blades: pieces of shells around the cavity."""
    cavity = cavity_field(canvas, anatomy)
    x, y = canvas.x - np.float32(anatomy.shift[0]), canvas.y - np.float32(anatomy.shift[1] - 0.03)
    angle = np.arctan2(y / np.float32(anatomy.cavity[1]), np.abs(x) / np.float32(anatomy.cavity[0]))
    ribs = []
    for side in (-1, 1):
        on_side = np.where(side * x > 0, np.float32(1), np.float32(-1))
        shells = [
            (-0.032, 0.018, middle + 0.16 * anatomy.ribs + 0.03 * side, reach)
            for middle, reach in ((-1.15, 0.16), (-0.60, 0.17), (-0.08, 0.24), (0.42, 0.26), (0.95, 0.22))
        ]
        if anatomy.level < 0.75:
            shells.append((-0.095, 0.014, 0.60 - 0.1 * anatomy.ribs, 0.26))
        for depth, thickness, middle, reach in shells:
            # Cut obliquely, so each end tapers.
            taper = 1 - ((angle - np.float32(middle)) / np.float32(reach)) ** 2
            shell = np.float32(thickness) * taper - np.abs(cavity - np.float32(depth))
            ribs.append(np.minimum(shell, on_side))
    return ribs


def draw_airways(canvas: Canvas, anatomy: Anatomy) -> None:
    """Draw trachea or bronchi, and two small airways beside their arteries."""
    level = anatomy.level
    if level < 0.3:
        tubes = [((-0.01, 0.06), (0.055, 0.05), 0.0)]
    elif level < 0.5:
        tubes = [((-0.085, 0.06), (0.045, 0.036), 0.5), ((0.085, 0.07), (0.045, 0.033), -0.5)]
    else:
        tubes = [((-0.15, 0.07), (0.026, 0.022), 0.3), ((0.16, 0.06), (0.023, 0.021), 0.0)]
    tubes += [((-0.235, 0.02), (0.013, 0.012), 0.0), ((0.24, 0.11), (0.013, 0.011), 0.0)]
    for centre, radii, turn in tubes:
        tube = canvas.ellipse(place(anatomy, *centre), radii, turn=turn)
        canvas.fill(tube + np.float32(0.008), 10.0)
        canvas.fill(tube, -985.0)
