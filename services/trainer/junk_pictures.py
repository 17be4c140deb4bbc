"""Generated pictures that are no frontal chest X-ray: each maker gives (height, width) uint8 from a seed."""

import numpy as np
from numpy.typing import NDArray

from shared.transforms import synthetic

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]


def chest(seed: int) -> Pixels:
    """The phantom X-ray in 8 bits: what the others are no picture of."""
    return (synthetic.phantom_xray(seed) >> 4).astype(np.uint8)


def upside_down(seed: int) -> Pixels:
    """A chest on its head."""
    return np.ascontiguousarray(chest(seed)[::-1])


def sideways(seed: int) -> Pixels:
    """A chest that lies on its side."""
    return np.ascontiguousarray(np.rot90(chest(seed)))


def limb(seed: int) -> Pixels:
    """Two bright bones in a soft cylinder on black, about what an X-ray of a forearm looks like."""
    generator, x, y = _canvas(seed, 512, 400)
    x = x * np.cos(lean := generator.uniform(-0.3, 0.3)) + y * np.sin(lean)
    flesh = 90 * np.clip(1.2 - (x / generator.uniform(0.4, 0.6)) ** 2, 0, 1)
    bones = np.sum([110 * np.exp(-(((x - place) / 0.09) ** 2)) for place in (-0.16, 0.16)], axis=0)
    return _pixels(flesh + bones + generator.normal(0, 3, x.shape))


def knee(seed: int) -> Pixels:
    """Two broad bones that end in front of each other, a thin one beside."""
    generator, x, y = _canvas(seed, 560, 420)
    x, y = x - generator.uniform(-0.1, 0.1), y - generator.uniform(-0.15, 0.15)
    flesh = 80 * _inside(0.62 + 0.05 * np.cos(3 * y) - np.abs(x))
    width = 0.22 + 0.16 * np.exp(-((y / 0.22) ** 2))
    bones = 100 * _inside(width - np.abs(x)) * _inside(np.abs(y) - 0.03)
    thin = 60 * _inside(0.05 - np.abs(x - 0.36)) * _inside(y - 0.12)
    return _pixels(flesh + bones + thin + generator.normal(0, 3, x.shape))


def hand(seed: int) -> Pixels:
    """A palm and five fingers, each of three bones."""
    generator, x, y = _canvas(seed, 560, 480)
    picture = 70 * _inside(0.2 - (x / 1.2) ** 2 - (y - 0.45) ** 2)
    for finger, angle in enumerate(np.linspace(-0.75, 0.6, 5) + generator.normal(0, 0.04, 5)):
        along = -(y - 0.6) * np.cos(angle) + x * np.sin(angle)
        across = (y - 0.6) * np.sin(angle) + x * np.cos(angle)
        reach = 1.35 if finger else 1.0
        picture += 60 * _inside(0.09 - np.abs(across)) * _inside(along) * _inside(reach - along)
        joints = np.abs(np.sin(np.pi * along / 0.36))
        picture += 90 * _inside(0.045 - np.abs(across)) * joints**0.3 * _inside(along - 0.1) * _inside(reach - along)
    return _pixels(picture + generator.normal(0, 3, x.shape))


def snow(seed: int) -> Pixels:
    """Nothing but noise."""
    return np.random.default_rng(seed).integers(0, 256, (512, 512), dtype=np.uint8)


def page(seed: int) -> Pixels:
    """Lines of dark words on white."""
    generator = np.random.default_rng(seed)
    paper = np.full((640, 480), 250, dtype=np.uint8)
    for top in range(40, 600, 16):
        for left in range(30, 450, 7):
            paper[top : top + 9, left : left + 5] = 250 if generator.random() < 0.2 else 40
    return paper


def screen(seed: int) -> Pixels:
    """Panels, bars and lines of text, light or dark."""
    generator = np.random.default_rng(seed)
    shown = np.full((480, 720), 240, dtype=np.uint8)
    shown[:36], shown[36:, :140] = 90, 210
    for top in range(60, 440, 60):
        for left in range(160, 700, 140):
            shown[top : top + 44, left : left + 120] = generator.integers(120, 235)
            for line in range(top + 6, top + 40, 10):
                shown[line : line + 4, left + 8 : left + int(generator.integers(20, 110))] = 60
    return 255 - shown if seed % 2 else shown


def face(seed: int) -> Pixels:
    """A furry head with ears and eyes, from the front: as even from left to right as a chest is."""
    generator, x, y = _canvas(seed, 480, 480)
    fur = generator.normal(0, 14, x.shape) + 20 * np.sin(40 * np.hypot(x, y) + 6 * np.arctan2(y, x))
    head = _inside(0.5 - (x / 1.1) ** 2 - y**2)
    ears = _inside(0.22 - np.abs(np.abs(x) - 0.45) - 0.5 * (y + 1)) * _inside(y + 0.95)
    eyes = _inside(0.13 - np.hypot(np.abs(x) - 0.28, y + 0.1))
    nose = _inside(0.08 - np.hypot(x, y - 0.2))
    return _pixels(60 + (110 + fur) * np.maximum(head, ears) + 80 * eyes - 150 * nose)


def bricks(seed: int) -> Pixels:
    """A wall."""
    generator, x, y = _canvas(seed, 512, 512)
    size = generator.uniform(0.1, 0.2)
    row = np.floor(y / size)
    joints = np.minimum(np.mod(y / size, 1), np.mod(x / (2 * size) + row / 2, 1)) < 0.1
    shade = 120 + 30 * np.sin(37 * row + 11 * np.floor(x / (2 * size) + row / 2))
    return _pixels(np.where(joints, 210, shade) + generator.normal(0, 8, x.shape))


def _canvas(seed: int, height: int, width: int) -> tuple[np.random.Generator, Floats, Floats]:
    """A generator and the places x and y, each from -1 to 1."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.random.default_rng(seed), x, y


def _inside(value: Floats) -> Floats:
    """A soft step from 0 to 1 around 0."""
    return np.asarray(1 / (1 + np.exp(-np.clip(value / 0.015, -30, 30))))


def _pixels(picture: Floats) -> Pixels:
    return np.asarray(np.clip(picture, 0, 255), dtype=np.uint8)


MAKERS = (synthetic.photograph_like, upside_down, sideways, limb, knee, hand, snow, page, screen, face, bricks)
