"""What a task offers whose answers are for each pixel; free of TensorFlow at import."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf


class PerPixel(ABC):
    """Stands beside `Task` among the bases of a task whose results are as large as the pictures.

    How many of these share a call of the graph is then bounded by their own pixels. Where the input keeps the picture's
    own size, large ones can be predicted in overlapping tiles: only there its methods are asked.
    """

    @abstractmethod
    def maps(self, outputs: Any) -> tf.Tensor:
        """Raw outputs to what tiles may average where they overlap: values for each pixel of the model's input, as
        probabilities, float32 `[n, height, width, channels]`; graph operations only."""

    @abstractmethod
    def from_maps(
        self, strips: Iterable[np.ndarray], size: tuple[int, int], settings: Mapping[str, float]
    ) -> dict[str, np.ndarray]:
        """Results of one picture that was seen in tiles, as `Task.one_by_one` gives those of the default signature.

        Args:
            strips: float32 `[rows, width, channels]`, the picture's `maps` from the top to the bottom. There may be too
                many to keep: each is valid only until the next is asked for.
            size: height and width of the upright picture.
            settings: those of the Predictor.
        """
