"""One image as a model's input: from bytes to pixels of the right size, and the way back for results."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from .image_decode import decode
from .image_geometry import (
    IGNORE,
    boxes_to_original,
    frame_of,
    maps_to_original,
    move_boxes,
    move_image,
    move_mask,
    place,
    round_up,
)
from .image_header import read_header, share_calls
from .image_options import ImageOptions

_IN_FLIGHT = 16  # pictures decoded at the same time: as many as there are cores, at most these
_GEOMETRY = {
    "size": tf.TensorSpec([2], tf.int32),
    "scale": tf.TensorSpec([2], tf.float32),
    "offset": tf.TensorSpec([2], tf.float32),
}
_PADDING = {"boxes": -1, "classes": -1, "mask": IGNORE}

Fitted = tuple[tf.Tensor, dict[str, tf.Tensor]]


class ImageInput:
    """Decodes, turns upright and fits, alike in training, evaluation, prediction and serving.

    Attributes:
        options: size, fit, fill and stride.
        signature: what `__call__` takes: `bytes`, string `[n]`.
        tensor_signature: what `from_images` takes: `images`, uint8 `[n, height, width, 3]`.
        shape: of one model input, (height, width, 3); None where it follows the picture.
    """

    signature = {"bytes": tf.TensorSpec([None], tf.string, "bytes")}
    tensor_signature = {"images": tf.TensorSpec([None, None, None, 3], tf.uint8, "images")}

    def __init__(self, options: ImageOptions, per_pixel: bool = False) -> None:
        self.options = options
        self._per_pixel = per_pixel  # whether results are as large as the pictures
        self.shape = (*options.height_width, 3)
        # Graphs of their own: called eagerly, too, the pictures of a batch run side by side, and there may be none.
        self._from_bytes = tf.function(
            lambda data: self._batch_of(data, decode), [self.signature["bytes"]], autograph=False
        )
        self._from_images = tf.function(
            lambda images: self._batch_of(images, tf.identity), [self.tensor_signature["images"]], autograph=False
        )

    def __call__(self, bytes: tf.Tensor) -> Fitted:
        """From encoded pictures to the model's input.

        Args:
            bytes: string `[n]`, encoded pictures of any sizes and formats; n may be 0.

        Returns:
            images: float32 `[n, height, width, 3]`, RGB, 0..255.
            geometry: `size` int32 `[n, 2]` (height, width of the upright original), `scale` and `offset` float32
                `[n, 2]` (y, x): a coordinate in the model's input is the original's * scale + offset.

        Raises:
            tf.errors.InvalidArgumentError: when it runs, if one picture is refused; `image_errors.reason` says why.
        """
        return self._from_bytes(bytes)

    def from_images(self, images: tf.Tensor) -> Fitted:
        """As `__call__`, from decoded upright pictures of one size, uint8 `[n, height, width, 3]`."""
        return self._from_images(images)

    def batches(self, encoded: Sequence[bytes]) -> list[list[int]]:
        """Which of some encoded pictures go together in one call, so that memory follows their pixels, and each
        answer is as if it came alone.

        See `image_header.share_calls`; a picture whose header cannot be read goes alone.

        Returns:
            Indices into `encoded`, each of them once.
        """
        headers = map(read_header, encoded)
        sizes = [None if header is None else header.upright for header in headers]
        return share_calls(sizes, self.options.fit, self.options.stride, self._per_pixel)

    def decode(self, bytes: tf.Tensor) -> tf.Tensor:
        """One encoded picture, a scalar string, to uint8 `[height, width, 3]`, RGB, upright; raises as `__call__`."""
        return decode(bytes)

    def load(self, sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """A sample with its `bytes`, a scalar string, decoded: `image` instead; raises as `__call__`."""
        rest = {name: value for name, value in sample.items() if name != "bytes"}
        return {"image": decode(sample["bytes"]), **rest}

    @tf.autograph.experimental.do_not_convert
    def fit(self, sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Fits a sample's picture and moves its truth along.

        Args:
            sample: `image`, uint8 or float32 `[h, w, 3]`; if there are any, `mask`, an integer `[h, w]`, and `boxes`,
                float32 `[n, 4]`, x_min, y_min, x_max, y_max in pixels.

        Returns:
            The sample with `image` float32 and fitted, the mask moved by the nearest neighbour (255 where there is no
            picture), the boxes moved and clipped to the frame: one that `crop` cuts off is left without area. With
            fit `pad` each side is a multiple of the stride. Other keys are as they were.
        """
        with tf.device("CPU:0"):
            placement = place(self.options, tf.shape(sample["image"])[:2])
            image = tf.ensure_shape(move_image(sample["image"], placement, self.options), self.shape)
            fitted = {**sample, "image": image}
            if "mask" in sample:
                fitted["mask"] = tf.ensure_shape(move_mask(sample["mask"], placement), self.shape[:2])
            if "boxes" in sample:
                fitted["boxes"] = move_boxes(sample["boxes"], placement)
            return fitted

    def batch(self, dataset: tf.data.Dataset, batch_size: int, drop_remainder: bool = False) -> tf.data.Dataset:
        """Batches fitted samples, padded to the largest: image by `fill`, mask by 255, boxes and classes by -1."""
        spec = dataset.element_spec
        values = {"image": self.options.fill, **_PADDING}
        padding = {name: tf.cast(values[name], each.dtype) if name in values else None for name, each in spec.items()}
        shapes = {name: each.shape for name, each in spec.items()}
        return dataset.padded_batch(batch_size, shapes, padding, drop_remainder=drop_remainder)

    def boxes_to_original(self, boxes: tf.Tensor, geometry: dict[str, tf.Tensor]) -> tf.Tensor:
        """Boxes float32 `[n, k, 4]` in the model's input to pixels of the upright originals, clipped to them."""
        return boxes_to_original(boxes, geometry)

    def maps_to_original(self, maps: tf.Tensor, geometry: dict[str, tf.Tensor]) -> tf.Tensor:
        """Values float32 `[n, height, width, channels]` of the pixels of the model's input to those of the upright
        originals, `[n, H, W, channels]`; each picture lies in the upper left corner, and what is beside it is 0."""
        return maps_to_original(maps, geometry, self.options)

    def _batch_of(self, elements: tf.Tensor, decode_one: Callable[[tf.Tensor], tf.Tensor]) -> Fitted:
        """Decodes and fits the pictures of a batch side by side."""

        def fitted(element):
            image = decode_one(element)
            placement = place(self.options, tf.shape(image)[:2])
            return move_image(image, placement, self.options), placement.geometry

        with tf.device("CPU:0"):
            if self.options.fit == "pad":
                return self._padded_batch(elements, decode_one)
            return _map(fitted, elements, (tf.TensorSpec(self.shape, tf.float32), _GEOMETRY))

    def _padded_batch(self, elements: tf.Tensor, decode_one: Callable[[tf.Tensor], tf.Tensor]) -> Fitted:
        """Decodes all pictures, then lays each into a frame that holds the largest."""

        def native(element):
            image = decode_one(element)
            geometry = place(self.options, tf.shape(image)[:2]).geometry
            return tf.io.serialize_tensor(image), geometry  # faster than a ragged tensor by four times

        def framed(serialized):
            image = tf.ensure_shape(tf.io.parse_tensor(serialized, tf.uint8), self.shape)
            placement = place(self.options, tf.shape(image)[:2])._replace(target=frame)
            return move_image(image, placement, self.options)

        natives, geometry = _map(native, elements, (tf.TensorSpec([], tf.string), _GEOMETRY))
        frame = round_up(frame_of(geometry), self.options.stride)
        images = tf.cond(  # a map over nothing does not know what size its nothing has
            tf.size(natives) > 0,
            lambda: _map(framed, natives, tf.TensorSpec(self.shape, tf.float32)),
            lambda: tf.zeros([0, frame[0], frame[1], 3]),
        )
        return images, geometry


def _map(function: Callable, elements: tf.Tensor, signature: tuple | tf.TensorSpec) -> tf.Tensor | tuple:
    return tf.map_fn(function, elements, fn_output_signature=signature, parallel_iterations=_IN_FLIGHT)
