"""Classification on the task contract; free of TensorFlow at import."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..contract import Evaluation, Task, Truth
from ..errors import InputError
from ..inputs.image import ImageInput
from . import MODELS, NETWORKS
from .options import ClassificationOptions, ClassificationResults

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from ..views import View
    from .classifier import Classifier


class Classification(Task):
    """One class an image, or with `model.multi_label` any number of labels.

    Truth is `label`, a class id, or with several labels `labels`, a 1 for each label that is there.
    """

    models = MODELS
    networks = NETWORKS
    Input = ImageInput
    ModelOptions = ClassificationOptions
    ResultOptions = ClassificationResults
    recipe = "photos"
    demo = "digits"
    soft_targets = True
    model_options: ClassificationOptions
    result_options: ClassificationResults
    _class_weights: np.ndarray | None = None  # of the loss, so only training needs them

    @property
    def monitor(self) -> str:
        return "mean_average_precision" if self.model_options.multi_label else "accuracy"

    @property
    def settings(self) -> Mapping[str, float]:
        """`temperature`, what logits are divided by; with several labels `threshold/NAME` for each class, the
        probability from which on it counts as present."""
        if not self.model_options.multi_label:
            return {"temperature": 1.0}
        fixed = self.result_options.thresholds
        start = float(fixed) if isinstance(fixed, int | float) else 0.5
        return {f"threshold/{name}": start for name in self.class_names}

    @property
    def truth(self) -> dict[str, Truth]:
        if self.model_options.multi_label:
            return {"labels": Truth("float32", (len(self.class_names),), role="multi_hot")}
        return {"label": Truth("int32", role="class_ids")}

    def check_options(self) -> None:
        if not self.model_options.multi_label and self.result_options.thresholds != "best_f1":
            raise InputError("results.thresholds are for several labels an image: say model.multi_label=true as well")

    def adapt(self, truths: Sequence[Mapping[str, Any]]) -> None:
        """Takes the class weights from the training truth; see `class_balance.class_weights`."""
        if self.model_options.class_weights != "none":
            from .losses import class_weights

            self._class_weights = class_weights(self.model_options, self.class_names, truths)

    def batch_sampler(
        self, truths: Sequence[Mapping[str, Any]], batch: int
    ) -> Callable[[np.random.Generator], np.ndarray]:
        """All samples once, or with `sampling: balanced` each class equally often."""
        if self.model_options.sampling == "natural":
            return super().batch_sampler(truths, batch)
        import numpy as np

        from .losses import balanced_epoch

        return partial(balanced_epoch, np.array([truth["label"] for truth in truths]))

    def model(self) -> Classifier:
        from .classifier import build

        if len(self.class_names) < (1 if self.model_options.multi_label else 2):
            found = "only '" + "', '".join(self.class_names) + "'" if self.class_names else "none"
            raise InputError(f"classification needs at least two classes and the data has {found}: check data.path")
        return build(self.class_names, self.model_options, self.input.shape, self._class_weights)

    def targets(self, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Images float32 `[n, h, w, 3]` and what to learn: one-hot or multi-hot float32 `[n, classes]`."""
        import tensorflow as tf

        image = tf.cast(batch["image"], tf.float32)
        if self.model_options.multi_label:
            return image, tf.cast(batch["labels"], tf.float32)
        return image, tf.one_hot(batch["label"], len(self.class_names), dtype=tf.float32)

    def results(
        self, outputs: tf.Tensor, geometry: dict[str, tf.Tensor], settings: Mapping[str, float]
    ) -> dict[str, tf.Tensor]:
        """See `results.one_label` and `results.several_labels`."""
        from .results import one_label, several_labels

        if self.model_options.multi_label:
            thresholds = [settings[f"threshold/{name}"] for name in self.class_names]
            return several_labels(outputs, self.class_names, thresholds)
        return one_label(outputs, self.class_names, settings["temperature"])

    def evaluation(self, settings: Mapping[str, float]) -> Evaluation:
        if self.model_options.multi_label:
            from .evaluation import MultiLabelEvaluation

            return MultiLabelEvaluation(self.class_names, self.result_options.thresholds)
        from .evaluation import SingleLabelEvaluation

        return SingleLabelEvaluation(self.class_names, settings["temperature"], self.result_options.calibrate)

    def average(self, outputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """The mean of the probabilities, as logits; see `average.py`."""
        from .results import mean_of_labels, mean_of_one_label

        return mean_of_labels(outputs) if self.model_options.multi_label else mean_of_one_label(outputs)

    def invert_view(self, outputs: tf.Tensor, view: View) -> tf.Tensor:
        """As they are: a class has no place in the image."""
        return outputs

    def summary(self, values: Mapping[str, Any]) -> str:
        """See `words.summary`."""
        from .drawing import summary

        return summary(self.class_names, values)

    def draw(
        self, image: np.ndarray, results: Mapping[str, np.ndarray] | None, truth: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """The image over a strip that says what the model says and, in green or red, what is true."""
        from ..metrics.plots import add_strip
        from .drawing import captions

        return add_strip(image, captions(self.class_names, results, truth))
