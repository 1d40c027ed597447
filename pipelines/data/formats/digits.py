"""The handwritten digits that scikit-learn ships: real data with no download."""

from collections.abc import Mapping

import numpy as np

from ....models.contract import Truth
from ..source import DataOptions, ImageSource, check_truth
from .stored_png import stored_png


class Digits(ImageSource):
    """1,797 grey pictures of 8 x 8 pixels, 43 people's digits 0 to 9, written about equally often.

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
        self._pictures = [stored_png(grey) for grey in np.round(data.images * (255 / 16)).astype(np.uint8)]

    def truth(self, position: int) -> dict[str, np.generic]:
        return {name: np.dtype(wanted.dtype).type(self._labels[position]) for name, wanted in self._truth.items()}

    def encoded(self, position: int) -> bytes:
        return self._pictures[position]
