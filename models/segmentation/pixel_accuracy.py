"""The share of pixels that are right, as training shows it."""

from typing import Any

import keras
from keras import ops

from ..inputs.image.geometry import IGNORE


class PixelAccuracy(keras.metrics.Mean):
    """The share of the pixels that count whose likeliest class is the true one; each pixel weighs the same."""

    def __init__(self, name: str = "accuracy"):
        super().__init__(name=name, dtype="float32")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Takes in a batch.

        Args:
            y_true: class ids, 255 where a pixel does not count, int `[n, h, w]`; or float `[n, h, w, 2]`, ids and what
                each pixel weighs in the loss, which does not matter here.
            y_pred: logits `[n, h, w, classes]`.
            sample_weight: none.
        """
        y_true = ops.convert_to_tensor(y_true)
        ids = ops.cast(y_true[..., 0] if len(y_true.shape) == 4 else y_true, "int32")
        right = ops.cast(ops.argmax(y_pred, axis=-1) == ids, "float32")
        # Flat, because Keras' mean of maps would take the mean of each picture first.
        return super().update_state(ops.ravel(right), sample_weight=ops.ravel(ids != IGNORE))
