"""Draws a scene: handwritten digits on a photograph, and which pixel belongs to which of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ..source import Split

if TYPE_CHECKING:
    from PIL.Image import Image

PHOTOGRAPHS: dict[Split, tuple[str, ...]] = {
    "train": ("astronaut", "camera", "china", "coffee", "coins", "grass", "hubble_deep_field"),
    "validation": ("flower", "gravel", "moon"),
    "test": ("brick", "chelsea", "rocket"),
}
"""Those in the wheels of both libraries that show no writing and were not taken through a microscope."""

_OF_SCIKIT_LEARN = ("china", "flower")

# The pages of one writer follow one another in that set, so parts cut out in one piece hardly share a hand.
_DIGITS: dict[Split, slice] = {
    "train": slice(0, 1257),
    "validation": slice(1257, 1527),
    "test": slice(1527, 1797),
}


@dataclass(frozen=True)
class Material:
    """What the scenes of one split are made of.

    Attributes:
        photographs: RGB images of at least 300 pixels a side.
        digits: how much of each pixel is ink, float64 `[n, 8, 8]` in 0..1.
        classes: which digit each is, 0..9, int64 `[n]`.
    """

    photographs: tuple[Image, ...]
    digits: np.ndarray
    classes: np.ndarray


@cache
def material(split: Split) -> Material:
    """The digits and photographs of one split; no two splits share any."""
    from sklearn.datasets import load_digits  # slow to import

    data = load_digits()
    part = _DIGITS[split]
    return Material(tuple(_photograph(name) for name in PHOTOGRAPHS[split]), data.images[part] / 16, data.target[part])


def _photograph(name: str) -> Image:
    from PIL import Image
    from skimage import data
    from sklearn.datasets import load_sample_image

    pixels = load_sample_image(f"{name}.jpg") if name in _OF_SCIKIT_LEARN else getattr(data, name)()
    return Image.fromarray(pixels).convert("RGB")


_INK = 0.45  # the edge of the strokes: lower, and holes close; higher, and strokes break


def strokes(digit: np.ndarray, side: float, angle: float) -> np.ndarray:
    """A digit, turned and enlarged by cubic splines, with an edge about one pixel wide.

    Args:
        digit: how much of each pixel is ink, float `[8, 8]` in 0..1.
        side: of the whole field of 8 x 8, in pixels.
        angle: in degrees, counter-clockwise.

    Returns:
        How much of each pixel is ink, float `[height, width]` in 0..1; no more rows and columns than have some.
    """
    from scipy.ndimage import affine_transform

    field = np.zeros((14, 14))
    field[3:-3, 3:-3] = digit  # what the splines see beside it is empty
    step = 8 / side
    sine, cosine = step * np.sin(np.deg2rad(angle)), step * np.cos(np.deg2rad(angle))
    turn = np.array([[cosine, sine], [-sine, cosine]])  # from rows and columns of the result to those of the field
    length = int(np.ceil(1.5 * side))  # 1.5 > sqrt(2): the whole field at any angle
    offset = (len(field) - 1) / 2 - turn @ np.full(2, (length - 1) / 2)
    smooth = affine_transform(field, turn, offset, (length, length), order=3)
    ink = np.clip((smooth - _INK) / (0.7 * step) + 0.5, 0, 1)  # across an edge it rises by about 0.7 a field's pixel
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


MAX_ANGLE = 25
"""How far a digit is turned, in degrees; beyond, a 6 is a 9."""
MIN_CONTRAST = 3.0
"""Contrast ratio of a digit's colour to at least four fifths of the ground around it: what WCAG 2.1 (1.4.11) asks of
graphics that people have to make out."""
MAX_COVERED = 0.05
"""The share of a digit's pixels that later digits may cover."""

_SHAPES = 12  # sizes and angles tried for one digit before the scene is begun anew
_PLACES = 5  # tried for one shape
_COLOURS = 24  # tried for one place
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)  # sRGB to linear light
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True)
class Scene:
    """An image of digits with its truth.

    Attributes:
        image: RGB uint8 `[size, size, 3]`.
        instances: uint16 `[size, size]`: 0 where no digit is, else 1 + its place in `digits`; a pixel is a digit's
            where the ink covers at least half of it.
        digits: which digits there are, 0..9, int64 `[n]`, in the order in which they were drawn.
    """

    image: np.ndarray
    instances: np.ndarray
    digits: np.ndarray

    def boxes(self) -> np.ndarray:
        """The extents of each digit's visible pixels: float32 `[n, 4]`, x_min, y_min, x_max, y_max, where the maxima
        are the far edges of the last pixels."""
        from scipy.ndimage import find_objects

        boxes = [(x.start, y.start, x.stop, y.stop) for y, x in find_objects(self.instances)]
        return np.array(boxes, np.float32).reshape(-1, 4)


def sides(size: int) -> tuple[float, float]:
    """The smallest and the largest side of a digit's field in a scene, in pixels; below 16 a digit is hard to read."""
    smallest = max(16.0, 0.2 * size)
    return smallest, max(smallest, 0.45 * size)


def most_digits(size: int) -> int:
    """How many digits find a place in any scene: the smallest fields of so many take less than half of it."""
    return int(0.45 * (size / sides(size)[0]) ** 2)


def draw_scene(material: Material, size: int, digits: tuple[int, int], random: np.random.Generator) -> Scene:
    """A new scene, which depends on the arguments alone.

    Args:
        material: what it is made of.
        size: its height and width in pixels.
        digits: the least and the most digits that it has, at most `most_digits(size)`.
        random: where chance comes from.
    """
    count = random.integers(*digits, endpoint=True)
    while True:  # a crop on which no colour stands out, or first digits that leave the last no place, are rare
        chosen = random.integers(len(material.digits), size=count)
        photograph = material.photographs[random.integers(len(material.photographs))]
        canvas = _Canvas(_crop(photograph, size, random))
        if all(canvas.add(material.digits[each], random) for each in chosen):
            return Scene(canvas.image, canvas.instances, material.classes[chosen])


def _crop(photograph: Image, size: int, random: np.random.Generator) -> np.ndarray:
    """A square of a photograph, from half to all of its shorter side, maybe mirrored: uint8 `[size, size, 3]`."""
    from PIL import Image

    shortest = min(photograph.size)
    side = random.integers(shortest // 2, shortest, endpoint=True)
    left, top = (random.integers(length - side, endpoint=True) for length in photograph.size)
    crop = photograph.resize((size, size), Image.Resampling.BILINEAR, (left, top, left + side, top + side))
    pixels = np.array(crop)
    return np.ascontiguousarray(pixels[:, ::-1]) if random.random() < 0.5 else pixels


class _Canvas:
    """A scene while it is drawn."""

    def __init__(self, image: np.ndarray):
        self.image = image
        self.instances = np.zeros(image.shape[:2], np.uint16)
        self._areas = [0]  # pixels of each digit before any was covered, by its number

    def add(self, digit: np.ndarray, random: np.random.Generator) -> bool:
        """Draws a digit of random size, angle, place and colour; False if none is found where it can be read."""
        smallest, largest = sides(len(self.image))
        for attempt in range(_SHAPES):
            # The longer no place is found, the nearer to the smallest.
            side = smallest * (largest / smallest) ** (random.random() * 0.8**attempt)
            ink = strokes(digit, side, random.uniform(-MAX_ANGLE, MAX_ANGLE))
            for _ in range(_PLACES):
                top, left = (random.integers(len(self.image) - length, endpoint=True) for length in ink.shape)
                window = slice(top, top + ink.shape[0]), slice(left, left + ink.shape[1])
                if not self._covers_little(window, ink):
                    continue
                colour, contrast = _colour(self.image[window], random)
                if contrast >= MIN_CONTRAST:
                    self._draw(window, ink, colour)
                    return True
        return False

    def _covers_little(self, window: tuple[slice, slice], ink: np.ndarray) -> bool:
        """Whether all digits so far stay visible but for `MAX_COVERED`."""
        covered = np.bincount(self.instances[window][ink >= 0.5], minlength=len(self._areas))
        visible = np.bincount(self.instances.ravel(), minlength=len(self._areas)) - covered
        return bool(np.all(visible[1:] >= (1 - MAX_COVERED) * np.array(self._areas[1:])))

    def _draw(self, window: tuple[slice, slice], ink: np.ndarray, colour: np.ndarray) -> None:
        ground = self.image[window]
        ground[:] = np.rint(ground + ink[..., np.newaxis] * (colour - ground.astype(np.float64)))
        self.instances[window][ink >= 0.5] = len(self._areas)
        self._areas.append(np.count_nonzero(ink >= 0.5))


def _colour(ground: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, float]:
    """A random colour, and its contrast ratio to at least four fifths of the ground: the first of some whose contrast
    is high enough; where none is, one that is not."""
    colours = random.integers(256, size=(_COLOURS, 3))
    luminance = _LINEAR[colours] @ _LUMINANCE + 0.05
    around = (_LINEAR[ground] @ _LUMINANCE + 0.05).ravel()
    ratios = luminance[:, np.newaxis] / around  # [colours, pixels]
    contrasts = np.sort(np.maximum(ratios, 1 / ratios))[:, len(around) // 5]
    first = np.argmax(contrasts >= MIN_CONTRAST)
    return colours[first], contrasts[first]
