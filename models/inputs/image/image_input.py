"""One image as a model's input: from bytes to pixels of the right size, and the way back for results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ...contract.input import SERVING, Input, Inspected
from ...contract.truth import Raw
from ...errors import InputError
from .files import as_items, find_images, read_image, to_bytes
from .header import read_header, share_calls
from .options import ImageOptions

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

IMAGES = "images"
"""The signature of decoded images."""
_MAX_DECODING = 16  # images decoded at the same time: as many as there are cores, at most these

# What a file begins with, and the extensions that say so.
_FORMATS = (
    (b"\xff\xd8\xff", "JPEG", ("jpg", "jpeg")),
    (b"\x89PNG", "PNG", ("png",)),
    (b"GIF8", "GIF", ("gif",)),
    (b"BM", "BMP", ("bmp",)),
    (b"RIFF", "WebP", ("webp",)),
)


class ImageInput(Input):
    """Decodes, turns upright and fits.

    Raw values: `bytes`, one encoded image, or in the signature `images` its pixels, uint8 `[height, width, 3]`.
    Geometry: `size` int32 `[n, 2]` (height, width of the upright original), `scale` and `offset` float32 `[n, 2]`
    (y, x): a coordinate in the model's input is the original's * scale + offset.

    Attributes:
        options: size, fit, fill and stride.
        shape: of one model input, (height, width, 3); None where it follows the image.
    """

    Options = ImageOptions
    options: ImageOptions

    @property
    def shape(self) -> tuple[int | None, int | None, int]:
        return (*self.options.height_width, 3)

    @property
    def pads(self) -> bool:
        return self.options.fit == "pad"

    @cached_property
    def signatures(self) -> Mapping[str, Mapping[str, tf.TensorSpec]]:
        import tensorflow as tf

        return {
            SERVING: {"bytes": tf.TensorSpec([None], tf.string, "bytes")},
            IMAGES: {"images": tf.TensorSpec([None, None, None, 3], tf.uint8, "images")},
        }

    def __call__(self, **raw: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """From encoded or decoded images to the model's input.

        Args:
            raw: `bytes`, string `[n]`, encoded images of any sizes and formats; or `images`, decoded upright ones of
                one size, uint8 `[n, height, width, 3]`. n may be 0.

        Returns:
            images: float32 `[n, height, width, 3]`, RGB, 0..255.
            geometry: `size`, `scale`, `offset`.

        Raises:
            tf.errors.InvalidArgumentError: when it runs, if one image is refused.
        """
        ((name, elements),) = raw.items()
        return self._graphs[name](elements)

    @cached_property
    def _graphs(self) -> dict[str, Callable]:
        """Graphs of their own: called eagerly, too, the images of a batch run side by side, and there may be none."""
        import tensorflow as tf

        from .decode import decode

        return {
            name: tf.function(
                lambda elements, decode_one=decode_one: self._batch_of(elements, decode_one), [spec], autograph=False
            )
            for (name, spec), decode_one in (
                (("bytes", self.signatures[SERVING]["bytes"]), decode),
                (("images", self.signatures[IMAGES]["images"]), tf.identity),
            )
        }

    def extent(self, geometry: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Height and width that each image is padded to when it comes alone, int32 `[n, 2]`."""
        from .geometry import round_up

        return round_up(geometry["size"], self.options.stride)

    def trim(self, tensors: tf.Tensor, extent: tf.Tensor) -> tf.Tensor:
        """Each image lies in the upper left corner."""
        return tensors[:, : extent[0], : extent[1]]

    def load(self, sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """A sample with its `bytes`, a scalar string, decoded: `image` instead; raises as `__call__`."""
        from .decode import decode

        rest = {name: value for name, value in sample.items() if name != "bytes"}
        return {"image": decode(sample["bytes"]), **rest}

    def fit(self, sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Fits a sample's image and moves its truth along.

        Args:
            sample: `image`, uint8 or float32 `[h, w, 3]`, and truth.

        Returns:
            The sample with `image` float32 and fitted, masks moved by the nearest neighbour (255 where there is no
            image), boxes moved and clipped to the frame: one that `crop` cuts off is left without area. With fit `pad`
            each side is a multiple of the stride. Other values are as they were.
        """
        import tensorflow as tf

        from .geometry import move_boxes, move_image, move_mask, place

        with tf.device("CPU:0"):
            placement = place(self.options, tf.shape(sample["image"])[:2])
            image = tf.ensure_shape(move_image(sample["image"], placement, self.options), self.shape)
            fitted = {**sample, "image": image}
            for name, truth in self.truth.items():
                if name in sample and truth.moves == "mask":
                    fitted[name] = tf.ensure_shape(move_mask(sample[name], placement, truth.pad), self.shape[:2])
                elif name in sample and truth.moves == "boxes":
                    fitted[name] = move_boxes(sample[name], placement)
            return fitted

    def padding(self, name: str, spec: tf.TensorSpec) -> float | None:
        return self.options.fill if name == "image" else super().padding(name, spec)

    def encode(self, item: Any) -> Raw:
        """A path, encoded bytes, a uint8 array `[height, width, 3]` (RGB) or `[height, width]` (grey), a PIL image, or
        a mapping with `bytes`."""
        return {"bytes": to_bytes(item["bytes"] if isinstance(item, Mapping) and "bytes" in item else item)}

    def items(self, given: Any) -> list[Any]:
        """As the base; an array `[n, height, width, 3]` is n images."""
        return [given] if isinstance(given, Mapping) else as_items(given)

    def find(self, places: Iterable[str]) -> list[tuple[str, Callable[[], Raw]]]:
        """Image files, folders of them (searched in depth), globs, and "-" (names on standard input, one a line)."""
        return [(file, partial(_read, file)) for file in find_images(places)]

    def inspect(self, raw: Raw, where: str = "") -> Inspected:
        """Decodes the image by the reference; an extension that names another format is noted."""
        import tensorflow as tf

        from .decode import decode

        try:
            image = decode(tf.constant(raw["bytes"]))
        except tf.errors.InvalidArgumentError as error:
            raise InputError(self.reason(error, raw)) from None
        height, width = image.shape[:2]
        return Inspected((height, width), note=_note(raw["bytes"], where))

    def share_calls(self, raws: Sequence[Raw]) -> list[list[int]]:
        """See `header.share_calls`; an image whose header cannot be read goes alone."""
        sizes = [None if header is None else header.upright for header in (read_header(raw["bytes"]) for raw in raws)]
        return share_calls(sizes, self.options.fit, self.options.stride, self.per_pixel)

    def reason(self, error: Exception, raw: Raw) -> str:
        from ..reasons import reason

        return reason(error, raw.get("bytes", b""))

    def show(self, raw: Raw) -> np.ndarray:
        """The upright image, uint8 `[height, width, 3]`."""
        import tensorflow as tf

        from .decode import decode

        try:
            return decode(tf.constant(raw["bytes"])).numpy()
        except tf.errors.InvalidArgumentError as error:
            raise InputError(self.reason(error, raw)) from None

    def boxes_to_original(self, boxes: tf.Tensor, geometry: dict[str, tf.Tensor]) -> tf.Tensor:
        """Boxes float32 `[n, k, 4]` in the model's input to pixels of the upright originals, clipped to them."""
        from .geometry import boxes_to_original

        return boxes_to_original(boxes, geometry)

    def maps_to_original(self, maps: tf.Tensor, geometry: dict[str, tf.Tensor]) -> tf.Tensor:
        """Values float32 `[n, height, width, channels]` of the pixels of the model's input to those of the upright
        originals, `[n, H, W, channels]`; each image lies in the upper left corner, and what is beside it is 0."""
        from .geometry import maps_to_original

        return maps_to_original(maps, geometry, self.options)

    def _batch_of(self, elements: tf.Tensor, decode_one: Callable[[tf.Tensor], tf.Tensor]) -> tuple:
        """Decodes and fits the images of a batch side by side."""
        import tensorflow as tf

        from .geometry import GEOMETRY, move_image, place

        def fitted(element):
            image = decode_one(element)
            placement = place(self.options, tf.shape(image)[:2])
            return move_image(image, placement, self.options), placement.geometry

        with tf.device("CPU:0"):
            if self.pads:
                return self._padded_batch(elements, decode_one)
            return _map(fitted, elements, (tf.TensorSpec(self.shape, tf.float32), GEOMETRY))

    def _padded_batch(self, elements: tf.Tensor, decode_one: Callable[[tf.Tensor], tf.Tensor]) -> tuple:
        """Decodes all images, then lays each into a frame that holds the largest."""
        import tensorflow as tf

        from .geometry import GEOMETRY, frame_of, move_image, place, round_up

        def native(element):
            image = decode_one(element)
            geometry = place(self.options, tf.shape(image)[:2]).geometry
            return tf.io.serialize_tensor(image), geometry  # faster than a ragged tensor by four times

        def framed(serialized):
            image = tf.ensure_shape(tf.io.parse_tensor(serialized, tf.uint8), self.shape)
            placement = place(self.options, tf.shape(image)[:2])._replace(target=frame)
            return move_image(image, placement, self.options)

        natives, geometry = _map(native, elements, (tf.TensorSpec([], tf.string), GEOMETRY))
        frame = round_up(frame_of(geometry), self.options.stride)
        images = tf.cond(  # a map over nothing does not know what size its nothing has
            tf.size(natives) > 0,
            lambda: _map(framed, natives, tf.TensorSpec(self.shape, tf.float32)),
            lambda: tf.zeros([0, frame[0], frame[1], 3]),
        )
        return images, geometry


def _read(file: str) -> Raw:
    return {"bytes": read_image(file)}


def _map(function: Callable, elements: tf.Tensor, signature: Any) -> Any:
    import tensorflow as tf

    return tf.map_fn(function, elements, fn_output_signature=signature, parallel_iterations=_MAX_DECODING)


def _note(data: bytes, where: str) -> str:
    """What is odd about a good image, "" for nothing: its extension is another format's."""
    extension = PurePath(where).suffix.lower().removeprefix(".")
    named = any(extension in extensions for _, _, extensions in _FORMATS)
    for magic, name, extensions in _FORMATS:
        if data.startswith(magic) and named and extension not in extensions:
            return f"a {name} named .{extension}"
    return ""
