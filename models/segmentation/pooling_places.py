"""Max pooling that remembers where each maximum stood, and the way back (Badrinarayanan et al. 2017, section 3)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("saccade")
class MaxPoolingWithPlaces(keras.layers.Layer):
    """Maxima of 2 x 2 windows, and the place of each in its window.

    `tf.nn.max_pool_with_argmax` gives places in the whole picture, which takes scattering to undo. Windows do not
    overlap here, so a place in the window will do, and all is done by comparing and choosing: on every device, under
    XLA, in every precision.
    """

    def call(self, x: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Float `[n, 2 h, 2 w, c]` to maxima `[n, h, w, c]` and places int32 of the same shape: 0 upper left, 1 upper
        right, 2 lower left, 3 lower right; the first of equal ones."""
        maxima = ops.max_pool(x, 2, 2)
        places = ops.full_like(maxima, 3, dtype="int32")
        for place, part in ((2, x[:, 1::2, ::2]), (1, x[:, ::2, 1::2]), (0, x[:, ::2, ::2])):
            places = ops.where(part == maxima, place, places)
        return maxima, places


@keras.saving.register_keras_serializable("saccade")
class MaxUnpooling(keras.layers.Layer):
    """Each value back to the place in its 2 x 2 window where the maximum stood; zero elsewhere."""

    def call(self, x: keras.KerasTensor, places: keras.KerasTensor) -> keras.KerasTensor:
        """Float `[n, h, w, c]` and places as `MaxPoolingWithPlaces` gives them to float `[n, 2 h, 2 w, c]`."""
        upper_left, upper_right, lower_left, lower_right = (
            ops.where(places == place, x, ops.zeros_like(x)) for place in range(4)
        )
        _, height, width, channels = ops.shape(x)
        upper = ops.stack([upper_left, upper_right], axis=3)  # n, h, w, 2, c
        lower = ops.stack([lower_left, lower_right], axis=3)
        rows = ops.stack([upper, lower], axis=2)  # n, h, 2, w, 2, c
        return ops.reshape(rows, (-1, 2 * height, 2 * width, channels))

    def compute_output_shape(self, x_shape: tuple, places_shape: tuple) -> tuple:
        batch, height, width, channels = x_shape
        return (batch, *(None if side is None else 2 * side for side in (height, width)), channels)
