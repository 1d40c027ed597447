"""Segmentation on the task contract; free of TensorFlow at import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..contract import IGNORE, Evaluation, Task, Tile, Truth
from ..errors import InputError
from ..inputs.image import ImageInput
from . import MODELS, NETWORKS
from .options import SegmentationInput, SegmentationOptions, SegmentationResults

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from ..views import View


class SegmentationImage(ImageInput):
    """An image of any size, by default as it is."""

    Options = SegmentationInput


class Segmentation(Task):
    """A class for every pixel.

    Truth is `mask`, uint8 `[height, width]` of the upright image: class ids, and 255 for pixels that do not count.
    With `results.instances` it is `instances`, too: uint16, 0 for no object and a number for each.
    """

    models = MODELS
    networks = NETWORKS
    ModelOptions = SegmentationOptions
    ResultOptions = SegmentationResults
    Input = SegmentationImage
    recipe = "masks"
    demo = "digit_scenes"
    signatures = MappingProxyType(
        {
            "serving_default": ("mask", "size"),
            "png": ("mask_png_bytes",),
            "probabilities": ("mask", "size", "probabilities"),
        }
    )
    lengths = MappingProxyType({"mask": "size", "probabilities": "size"})
    result_padding = MappingProxyType({"mask": IGNORE})
    per_pixel = True
    tile_results = ("probabilities",)
    model_options: SegmentationOptions
    result_options: SegmentationResults
    input_options: SegmentationInput
    _class_weights: np.ndarray | None = None  # of the loss, so only training needs them

    @property
    def monitor(self) -> str:
        return "dice" if self._binary else "mean_iou"

    @property
    def settings(self) -> Mapping[str, float]:
        """With two classes `threshold`, the probability from which on a pixel belongs to the second."""
        return {"threshold": self.result_options.threshold or 0.5} if self._binary else {}

    @property
    def _binary(self) -> bool:
        return len(self.class_names) == 2

    @property
    def truth(self) -> dict[str, Truth]:
        mask = {"mask": Truth("uint8", (None, None), pad=IGNORE, moves="mask", role="class_ids")}
        if self.result_options.instances == "none":
            return mask
        return mask | {"instances": Truth("uint16", (None, None), trains=False, moves="mask")}

    def check(self, size: tuple[int, int] | None, truth: Mapping[str, np.ndarray]) -> None:
        """See `masks.check_mask`."""
        from .class_weights import check_mask

        for name in truth:
            check_mask(name, truth[name], size, self.class_names if name == "mask" else None)

    def adapt(self, truths: Sequence[Mapping[str, Any]]) -> None:
        """Takes the class weights from the training truth, and refuses truth that is all background."""
        from .class_weights import class_weights, refuse_background

        if isinstance(self.model_options.class_weights, str) and self.model_options.class_weights != "none":
            self._class_weights = class_weights(self.model_options, self.class_names, truths)
        else:
            refuse_background(self.class_names, truths)
            self._class_weights = class_weights(self.model_options, self.class_names, ())

    def model(self) -> keras.Model:
        from .segmenter import build

        if len(self.class_names) < 2:
            found = "only '" + "', '".join(self.class_names) + "'" if self.class_names else "none"
            raise InputError(f"segmentation needs at least two classes and the data has {found}: check data.path")
        if self.result_options.threshold is not None and not self._binary:
            raise InputError(
                f"results.threshold: for two classes, and these are {len(self.class_names)}: leave it out",
                field="results.threshold",
            )
        model = build(self.class_names, self.model_options, self.input.shape, self._class_weights)
        if self.input_options.fit == "pad" and self.input_options.stride % model.stride:
            raise InputError(
                f"input.stride: {self.model_options.name} needs sides that are multiples of {model.stride}, "
                f"not of {self.input_options.stride}",
                field="input.stride",
            )
        return model

    def targets(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Images float32 `[n, h, w, 3]`, and what `losses.make_loss` takes; see `targets.make_targets`."""
        import tensorflow as tf

        from .losses import make_targets

        return tf.cast(batch["image"], tf.float32), make_targets(batch["mask"], self.class_names, self.model_options)

    def results(
        self, outputs: tf.Tensor, geometry: dict[str, tf.Tensor], settings: Mapping[str, float]
    ) -> dict[str, tf.Tensor]:
        """See `results.segmented`."""
        from .results import segmented

        return segmented(outputs, geometry, self.input, settings.get("threshold"))

    def evaluation(self, settings: Mapping[str, float]) -> Evaluation:
        from .evaluation import SegmentationEvaluation

        return SegmentationEvaluation(self.class_names, self.result_options)

    def average(self, outputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """The mean of the probabilities, as logits."""
        import tensorflow as tf

        log_p = tf.stack([tf.nn.log_softmax(tf.cast(each, tf.float32)) for each in outputs])
        return tf.reduce_logsumexp(log_p, axis=0)

    def invert_view(self, outputs: tf.Tensor, view: View) -> tf.Tensor:
        """Mirrored maps back to where they were seen."""
        if view.part is not None:
            raise InputError("segmentation answers for every pixel, and crops would leave some out: take --flip alone")
        return outputs[:, :, ::-1] if view.mirrored else outputs

    def merge_tiles(
        self, tiles: Iterator[Tile], size: tuple[int, int], settings: Mapping[str, float]
    ) -> dict[str, np.ndarray]:
        """Probabilities are averaged where tiles overlap; see `results.merged_tiles`."""
        from .results import merged_tiles

        return merged_tiles(tiles, size, settings.get("threshold"))

    def line(self, results: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """See `words.line`."""
        from .drawing import line

        return line(self.class_names, results, self.result_options)

    def files(self, results: Mapping[str, np.ndarray]) -> dict[str, bytes]:
        """See `mask_files.files`."""
        from .drawing import files

        return files(self.class_names, results, self.result_options)

    def summary(self, values: Mapping[str, Any]) -> str:
        """See `words.summary`."""
        from .drawing import summary

        return summary(self.class_names, values)

    def draw(
        self, image: np.ndarray, results: Mapping[str, np.ndarray] | None, truth: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """Image, truth, prediction and errors side by side, over what the colours mean."""
        from .drawing import draw

        return draw(self.class_names, image, results, truth)
