"""Where an image lies in the model's frame, and what moves there: pixels, masks, boxes.

One rule for all fits: the image is resized to `content` and laid at `offset` into a frame of `target` pixels; what
lies outside the frame is cut, what the image does not cover is filled.
"""

from typing import NamedTuple

import tensorflow as tf

from .options import IGNORE, ImageOptions

GEOMETRY = {
    "size": tf.TensorSpec([2], tf.int32),
    "scale": tf.TensorSpec([2], tf.float32),
    "offset": tf.TensorSpec([2], tf.float32),
}
"""What `Placement.geometry` holds."""


class Placement(NamedTuple):
    """All int32 `[2]`, (y, x), pixels: `model = original * content / size + offset`."""

    size: tf.Tensor
    content: tf.Tensor
    offset: tf.Tensor
    target: tf.Tensor

    @property
    def geometry(self) -> dict[str, tf.Tensor]:
        """What is needed to map results back: int32 `size`, float32 `scale` and `offset`, each `[2]`."""
        scale = tf.cast(self.content / self.size, tf.float32)
        return {"size": self.size, "scale": scale, "offset": tf.cast(self.offset, tf.float32)}

    @property
    def visible(self) -> tf.Tensor:
        """The size of that part of the resized image that lies inside the frame."""
        return tf.minimum(self.content, self.target)

    @property
    def cut(self) -> tf.Tensor:
        """How much of the resized image lies above and left of the frame."""
        return tf.maximum(-self.offset, 0)


def place(options: ImageOptions, size: tf.Tensor) -> Placement:
    """Where an image of `size` (int32 `[2]`, height and width) goes."""
    if options.fit == "pad":
        return Placement(size, size, tf.zeros_like(size), round_up(size, options.stride))
    target = tf.constant(options.height_width)
    ratio = target / size  # float64
    if options.fit == "stretch":
        content = target
    elif options.fit == "letterbox":
        content = tf.clip_by_value(_scaled(size, tf.reduce_min(ratio)), 1, target)
    else:
        content = tf.maximum(_scaled(size, tf.reduce_max(ratio)), target)
    return Placement(size, content, (target - content) // 2, target)


def round_up(size: tf.Tensor, stride: int) -> tf.Tensor:
    """The next multiples of `stride`, at least one."""
    return tf.maximum(-(-size // stride), 1) * stride


def move_image(image: tf.Tensor, placement: Placement, options: ImageOptions) -> tf.Tensor:
    """Resizes `[h, w, 3]` by the antialiased triangle filter (Pillow's BILINEAR) to float32 `[target, 3]`."""
    if options.fit == "pad":
        return _framed(tf.cast(image, tf.float32), placement, float(options.fill))
    moved = tf.raw_ops.ScaleAndTranslate(  # the op behind tf.image.resize(antialias=True)
        images=image[tf.newaxis],
        size=placement.visible,
        scale=placement.geometry["scale"],
        translation=-tf.cast(placement.cut, tf.float32),
        kernel_type="triangle",
    )
    return _framed(moved[0], placement, float(options.fill))


def move_mask(mask: tf.Tensor, placement: Placement, fill: float = IGNORE) -> tf.Tensor:
    """Moves labels, an integer `[h, w]`, by the nearest neighbour; `fill` where there is no image."""
    size, content, _, _ = placement
    rows, columns = (
        (2 * (tf.range(placement.visible[axis]) + placement.cut[axis]) + 1) * size[axis] // (2 * content[axis])
        for axis in (0, 1)
    )
    return _framed(tf.gather(tf.gather(mask, rows), columns, axis=1), placement, tf.cast(fill, mask.dtype))


def move_boxes(boxes: tf.Tensor, placement: Placement) -> tf.Tensor:
    """Moves float32 `[n, 4]` boxes (x_min, y_min, x_max, y_max in pixels) and clips them to the frame."""
    geometry = placement.geometry
    moved = boxes * _corners(geometry["scale"]) + _corners(geometry["offset"])
    return tf.clip_by_value(moved, 0.0, _corners(tf.cast(placement.target, tf.float32)))


def boxes_to_original(boxes: tf.Tensor, geometry: dict[str, tf.Tensor]) -> tf.Tensor:
    """Moves boxes of a batch back into their images and clips them there.

    Args:
        boxes: float32 `[n, k, 4]`, x_min, y_min, x_max, y_max in pixels of the model's input.
        geometry: of the batch: `size`, `scale`, `offset`, each `[n, 2]`.

    Returns:
        float32 `[n, k, 4]`, in pixels of the upright originals.
    """
    scale, offset, size = (_corners(geometry[name])[:, tf.newaxis] for name in ("scale", "offset", "size"))
    return tf.clip_by_value((boxes - offset) / scale, 0.0, tf.cast(size, tf.float32))


def frame_of(geometry: dict[str, tf.Tensor]) -> tf.Tensor:
    """Height and width, int32 `[2]`, that hold every original of a batch, which may be empty."""
    return tf.reduce_max(tf.pad(geometry["size"], [[0, 1], [0, 0]]), axis=0)


def maps_to_original(maps: tf.Tensor, geometry: dict[str, tf.Tensor], options: ImageOptions) -> tf.Tensor:
    """Moves values that each pixel of the model's input has back to the pixels of the images.

    Resized by the triangle filter, as images are; what lies in the frame beside an image takes no part.

    Args:
        maps: float32 `[n, height, width, channels]`.
        geometry: of the batch: `size`, `scale`, `offset`, each `[n, 2]`.
        options: of the input; its fit is not `crop`, which leaves no values for what it cuts off.

    Returns:
        float32 `[n, H, W, channels]`, where H and W are those of the highest and the widest image: each lies in its
        upper left corner, and what is beside it is 0.
    """
    frame = frame_of(geometry)

    def native(values):
        one, size, scale, offset = values
        content = tf.cast(tf.round(tf.cast(size, tf.float32) * scale), tf.int32)
        start = tf.cast(offset, tf.int32)
        covered = one[start[0] : start[0] + content[0], start[1] : start[1] + content[1]]
        moved = tf.raw_ops.ScaleAndTranslate(
            images=covered[tf.newaxis],
            size=size,
            scale=tf.cast(size / content, tf.float32),
            translation=tf.zeros(2),
            kernel_type="triangle",
        )[0]
        beside = tf.concat([frame - size, [0]], axis=0)
        return tf.pad(moved, tf.stack([tf.zeros_like(beside), beside], axis=1))

    if options.fit == "pad":  # the frame of the batch, with each image in its corner as it is
        inside = tf.cast(inside_of(geometry)[..., tf.newaxis], maps.dtype)
        return maps[:, : frame[0], : frame[1]] * inside
    each = (maps, geometry["size"], geometry["scale"], geometry["offset"])
    spec = tf.TensorSpec([None, None, maps.shape[-1]], maps.dtype)
    return tf.cond(  # a map over nothing does not know what size its nothing has
        tf.shape(maps)[0] > 0,
        lambda: tf.map_fn(native, each, fn_output_signature=spec),
        lambda: tf.zeros([0, frame[0], frame[1], maps.shape[-1]], maps.dtype),
    )


def inside_of(geometry: dict[str, tf.Tensor]) -> tf.Tensor:
    """Which pixels of `frame_of` belong to each image, bool `[n, H, W]`."""
    height, width = tf.unstack(frame_of(geometry))
    size = geometry["size"]
    rows = tf.range(height)[tf.newaxis, :, tf.newaxis] < size[:, 0, tf.newaxis, tf.newaxis]
    return rows & (tf.range(width)[tf.newaxis, tf.newaxis] < size[:, 1, tf.newaxis, tf.newaxis])


def _scaled(size: tf.Tensor, ratio: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.round(tf.cast(size, tf.float64) * ratio), tf.int32)


def _framed(visible: tf.Tensor, placement: Placement, fill: float | tf.Tensor) -> tf.Tensor:
    """Lays the visible part, `[height, width, ...]`, into the frame."""
    before = tf.maximum(placement.offset, 0)
    paddings = tf.stack([before, placement.target - placement.visible - before], axis=1)  # [2, 2]
    more = [[0, 0]] * (visible.shape.rank - 2)
    return tf.pad(visible, tf.concat([paddings, more], axis=0) if more else paddings, constant_values=fill)


def _corners(y_x: tf.Tensor) -> tf.Tensor:
    """`[..., (y, x)]` to `[..., (x, y, x, y)]`."""
    return tf.gather(y_x, [1, 0, 1, 0], axis=-1)
