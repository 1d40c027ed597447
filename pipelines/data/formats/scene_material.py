"""What scenes are made of: handwritten digits and photographs that scikit-learn and scikit-image ship, by split."""

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
        photographs: RGB pictures of at least 300 pixels a side.
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
