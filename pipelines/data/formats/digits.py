"""Handwritten digits with no download: alone, and in scenes on photographs that are drawn from a seed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache
from threading import Lock
from typing import Annotated

import numpy as np
from pydantic import Field, field_validator, model_validator

from ....models.contract import Truth
from ..source import SPLITS, DataOptions, ImageSource, Split, check_truth
from .boxes import OFFERED, BoxTruth
from .scene_drawing import Scene, draw_scene, material, most_digits


def stored_png(image: np.ndarray) -> bytes:
    """An image as PNG that is stored, not deflated: the same bytes with every zlib.

    Args:
        image: uint8, `[height, width]` grey or `[height, width, 3]` RGB.
    """
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png", compress_level=0)
    return stream.getvalue()


class Digits(ImageSource):
    """1,797 grey images of 8 x 8 pixels, 43 people's digits 0 to 9, written about equally often.

    From "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning Repository:
    its test part, which is what scikit-learn ships. Grey values 0..16 are stretched to 0..255.
    """

    Options = DataOptions

    def __init__(self, options: DataOptions, truth: Mapping[str, Truth] | None):
        check_truth("digits", truth, {"label": Truth("int32")})
        from sklearn.datasets import load_digits  # slow to import

        data = load_digits()
        self.class_names = [str(name) for name in data.target_names]
        self.keys = [f"digits/{position:04d}" for position in range(len(data.target))]
        self.splits: dict[str, list[int]] = {}
        self.groups = self.keys
        self._labels = data.target
        self._truth = truth or {}
        self._images = [stored_png(grey) for grey in np.round(data.images * (255 / 16)).astype(np.uint8)]

    def truth(self, position: int) -> dict[str, np.generic]:
        return {name: np.dtype(wanted.dtype).type(self._labels[position]) for name, wanted in self._truth.items()}

    def encoded(self, position: int) -> bytes:
        return self._images[position]


_OFFERED = {
    "mask": Truth("uint8", (None, None)),
    "instances": Truth("uint16", (None, None)),
    **OFFERED,
}

_MAX_MEMORY = 2**28
"""How many bytes of scenes are kept; others are drawn again when they are asked for again."""


class DigitScenesOptions(DataOptions):
    """The recipe's `data` section of digit scenes; `validation` and `test` are the shares of scenes in those splits."""

    count: Annotated[int, Field(ge=1)] = 2000
    """Scenes in all splits together."""
    size: Annotated[int, Field(ge=32)] = 96
    """Height and width of a scene in pixels."""
    digits: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] = (1, 5)
    """The least and the most digits of a scene."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Other seeds give other scenes, of the same digits and photographs in each split."""

    @field_validator("digits")
    @classmethod
    def _least_first(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[0] > value[1]:
            raise ValueError(f"the least, {value[0]}, is more than the most, {value[1]}")
        return value

    @model_validator(mode="after")
    def _digits_find_a_place(self) -> DigitScenesOptions:
        if self.digits[1] > most_digits(self.size):
            raise ValueError(
                f"{self.digits[1]} digits do not fit into {self.size} x {self.size} pixels, at most "
                f"{most_digits(self.size)} do: lower digits, or raise size"
            )
        return self

    @model_validator(mode="after")
    def _enough_for_the_splits(self) -> DigitScenesOptions:
        counts = self.counts
        for name in ("validation", "test"):
            if getattr(self, name) and not counts[name]:
                raise ValueError(
                    f"of {self.count} scenes a {name} share of {getattr(self, name):g} is none: raise count"
                )
        if not counts["train"]:
            raise ValueError(f"count {self.count} leaves nothing to train on: raise count")
        return self

    @property
    def counts(self) -> dict[Split, int]:
        """How many scenes each split has."""
        validation, test = round(self.count * self.validation), round(self.count * self.test)
        return {"train": self.count - validation - test, "validation": validation, "test": test}


class DigitScenes(ImageSource):
    """Real handwritten digits, pasted at random sizes, angles and colours on real photographs.

    The digits are scikit-learn's (see `digits`), the photographs those of scikit-learn and scikit-image that need no
    download. Splits share no digit and no photograph. A scene depends on the seed, its split and its number there, not
    on how many there are; it is drawn when it is asked for.

    Class ids are places in `class_names`: the ten digits, after "background" where the task wants a mask.
    """

    Options = DigitScenesOptions

    def __init__(self, options: DigitScenesOptions, truth: Mapping[str, Truth] | None):
        check_truth("digit_scenes", truth, _OFFERED)
        self._options = options
        self._truth = truth or {}
        self.class_names = ["background"] * ("mask" in self._truth) + [str(digit) for digit in range(10)]
        self._places = [(name, index) for name in SPLITS for index in range(options.counts[name])]
        self.keys = [f"digit_scenes/{name}/{index:04d}" for name, index in self._places]
        self.groups = self.keys
        names = np.array([name for name, _ in self._places])
        self.splits = {name: np.flatnonzero(names == name) for name in SPLITS if options.counts[name]}
        self._drawn = lru_cache(maxsize=_MAX_MEMORY // (5 * options.size**2))(self._draw)  # 5 bytes a pixel
        self._drawing = Lock()

    def truth(self, position: int) -> dict[str, np.ndarray]:
        if not self._truth:
            return {}
        scene = self._scene(position)
        found = BoxTruth(scene.image.shape[:2])
        for box, kind in zip(scene.boxes(), self._classes(scene), strict=True):
            found.add(box, kind)
        values = {"mask": self._mask(scene), "instances": scene.instances} | found.values(self._truth)
        return {name: values[name].astype(wanted.dtype) for name, wanted in self._truth.items()}

    def encoded(self, position: int) -> bytes:
        return stored_png(self._scene(position).image)

    def _scene(self, position: int) -> Scene:
        # Drawing keeps Python's own lock: threads that drew at once would take half as long again, waiting for it.
        with self._drawing:
            return self._drawn(position)

    def _draw(self, position: int) -> Scene:
        split, index = self._places[position]
        random = np.random.default_rng([self._options.seed, SPLITS.index(split), index])
        return draw_scene(material(split), self._options.size, self._options.digits, random)

    def _classes(self, scene: Scene) -> np.ndarray:
        return scene.digits + self.class_names.index("0")

    def _mask(self, scene: Scene) -> np.ndarray:
        return np.concatenate([[0], self._classes(scene)])[scene.instances]
