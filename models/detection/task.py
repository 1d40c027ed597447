"""Detection on the task contract; free of TensorFlow at import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..contract import Evaluation, Task, Tile, Truth
from ..errors import InputError
from ..inputs.image import ImageInput
from . import MODELS, NETWORKS
from .options import DetectionEvaluationOptions, DetectionInput, DetectionOptions, DetectionResults

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from ..views import View
    from .detector import Detector

_SERVED = ("boxes", "scores", "classes", "labels", "count")
_CANDIDATES = ("candidate_boxes", "candidate_scores", "candidate_classes", "candidate_count")


class DetectionImage(ImageInput):
    """An image whose objects are to be found."""

    Options = DetectionInput


class Detection(Task):
    """Boxes around objects, with class and score.

    Truth is `boxes` (x_min, y_min, x_max, y_max in pixels of the upright image) and `classes`, and for each box `crowd`
    (1: a region of many objects), `difficult` (1: not counted by VOC) and `area`. Crowds and difficult objects are not
    learned, nor are their places as background.
    """

    models = MODELS
    networks = NETWORKS
    ModelOptions = DetectionOptions
    ResultOptions = DetectionResults
    EvaluationOptions = DetectionEvaluationOptions
    Input = DetectionImage
    recipe = "boxes"
    demo = "digit_boxes"
    truth = MappingProxyType(
        {
            "boxes": Truth("float32", (None, 4), moves="boxes", pad=-1),
            "classes": Truth("int32", (None,), moves="box_field", role="class_ids", pad=-1),
            "crowd": Truth("int32", (None,), moves="box_field"),
            "difficult": Truth("int32", (None,), moves="box_field"),
            "area": Truth("float32", (None,), trains=False, moves="box_field"),
        }
    )
    signatures = MappingProxyType({"serving_default": _SERVED, "candidates": (*_SERVED, *_CANDIDATES)})
    lengths = MappingProxyType(
        {name: "count" for name in _SERVED[:-1]} | dict.fromkeys(_CANDIDATES[:-1], "candidate_count")
    )
    tile_results = _CANDIDATES
    model_options: DetectionOptions
    input_options: DetectionInput
    result_options: DetectionResults
    evaluation_options: DetectionEvaluationOptions

    @property
    def monitor(self) -> str:
        return "map" if self.evaluation_options.protocol == "coco" else "voc_map"

    @property
    def settings(self) -> Mapping[str, float]:
        """`threshold/NAME` for each class, the score from which on a box is answered."""
        fixed = self.result_options.threshold
        start = float(fixed) if isinstance(fixed, int | float) else 0.5
        return {f"threshold/{name}": start for name in self.class_names}

    def check(self, size: tuple[int, int] | None, truth: Mapping[str, np.ndarray]) -> None:
        """Refuses boxes that do not lie in the image, as those of another one, and classes that are none."""
        boxes, classes = truth["boxes"], truth["classes"]
        for number, (box, kind) in enumerate(zip(boxes, classes, strict=True)):
            x_min, y_min, x_max, y_max = (float(each) for each in box)
            if size and not (0 <= x_min < x_max <= size[1] + 1 and 0 <= y_min < y_max <= size[0] + 1):
                corners = f"{x_min:g}, {y_min:g}, {x_max:g}, {y_max:g}"
                raise InputError(
                    f"box {number} is {corners}, and the image is {size[1]} x {size[0]} pixels (width x height): is "
                    "the annotation that of another image?"
                )
            if not 0 <= kind < len(self.class_names):
                raise InputError(f"box {number} is of class {kind}, and there are {len(self.class_names)} classes")

    def model(self) -> Detector:
        from .detector import build

        if not self.class_names:
            raise InputError("detection needs at least one class and the data has none: check data.path")
        model = build(self.class_names, self.model_options, self.input.shape)
        if self.input_options.fit == "pad" and self.input_options.stride % model.stride:
            raise InputError(
                f"input.stride: {self.model_options.name} needs sides that are multiples of {model.stride}, "
                f"not of {self.input_options.stride}",
                field="input.stride",
            )
        return model

    def targets(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Images float32 `[n, h, w, 3]`, and what `Detector` takes."""
        import tensorflow as tf

        ignored = (batch["crowd"] > 0) | (batch["difficult"] > 0)
        y = {"boxes": batch["boxes"], "classes": batch["classes"], "ignored": ignored}
        return tf.cast(batch["image"], tf.float32), y

    def infer(self, model: Detector, tensors: tf.Tensor, settings: Mapping[str, float]) -> dict[str, tf.Tensor]:
        """The likeliest proposals of each image; see `results.proposed`."""
        import tensorflow as tf

        from .results import proposed

        height, width = tf.unstack(tf.shape(tensors)[1:3])
        return proposed(*model.propose(model(tensors, training=False), height, width), height, width)

    def results(
        self, outputs: dict[str, tf.Tensor], geometry: dict[str, tf.Tensor], settings: Mapping[str, float]
    ) -> dict[str, tf.Tensor]:
        """See `results.detected`."""
        return self._detected(self.input.boxes_to_original(outputs["boxes"], geometry), outputs["scores"], settings)

    def _detected(self, boxes: Any, scores: Any, settings: Mapping[str, float]) -> dict[str, tf.Tensor]:
        from .results import detected

        thresholds = [settings[f"threshold/{name}"] for name in self.class_names]
        options = self.result_options
        return detected(boxes, scores, self.class_names, thresholds, options.suppression, options.max_detections)

    def evaluation(self, settings: Mapping[str, float]) -> Evaluation:
        from .evaluation import DetectionEvaluation

        return DetectionEvaluation(self.class_names, self.result_options, self.evaluation_options, settings)

    def difference(self, left: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray]) -> float:
        """By matching boxes; see `results.difference`."""
        from .results import difference

        sets = (_SERVED[:3], _CANDIDATES[:3])
        return max(difference(left, right, names) for names in sets if names[0] in right)

    def average(self, outputs: Sequence[dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """The union of all proposals: suppression keeps the surest of each object."""
        import tensorflow as tf

        joined = {name: tf.concat([each[name] for each in outputs], axis=1) for name in ("boxes", "scores")}
        return joined | {"frame": outputs[0]["frame"]}

    def invert_view(self, outputs: dict[str, tf.Tensor], view: View) -> dict[str, tf.Tensor]:
        """Boxes back to where they were seen in the whole."""
        import tensorflow as tf

        x_min, y_min, x_max, y_max = tf.unstack(outputs["boxes"], axis=-1)
        if view.mirrored:
            width = outputs["frame"][:, 1:]
            x_min, x_max = width - x_max, width - x_min
        top, left = view.part[:2] if view.part else (0, 0)
        boxes = tf.stack([x_min + left, y_min + top, x_max + left, y_max + top], axis=-1)
        return outputs | {"boxes": boxes}

    def merge_tiles(
        self, tiles: Iterator[Tile], size: tuple[int, int], settings: Mapping[str, float]
    ) -> dict[str, np.ndarray]:
        """The candidates of all tiles, suppressed across their seams; see `results.merged_tiles`."""
        from ..contract import without_padding
        from .results import merged_tiles

        found = self._detected(*merged_tiles(tiles, size, len(self.class_names)), settings)
        return without_padding({name: found[name].numpy() for name in _SERVED}, self.lengths)[0]

    def line(self, results: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """See `drawing.line`."""
        from .drawing import line

        return line(self.class_names, results)

    def summary(self, values: Mapping[str, Any]) -> str:
        """See `drawing.summary`."""
        from .drawing import summary

        return summary(self.class_names, values)

    def draw(
        self, shown: np.ndarray, results: Mapping[str, np.ndarray] | None, truth: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """The image with ground truth and predictions; see `drawing.draw`."""
        from .drawing import draw

        return draw(self.class_names, shown, results, truth)
