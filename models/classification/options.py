"""The recipe's `model` section for classification."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from ..task import ModelOptions

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _kind(class_weights: Any) -> str:
    """Which form `class_weights` has, so that what is wrong is told of that form alone."""
    return "weights" if isinstance(class_weights, dict) else "word"


ClassWeights = Annotated[
    Annotated[Literal["none", "balanced"], Tag("word")]
    | Annotated[dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]], Tag("weights")],
    Discriminator(_kind),
]


class ClassificationOptions(ModelOptions):
    """What a classifier is made of.

    Attributes:
        name: a name from `MODELS`, or your own network as `package.module:Name` (see `model.build`).
        dropout: the share of features that is dropped before the last layer in training, 0 to below 1.
        label_smoothing: how much of a training target is spread over all classes, 0 to below 1 (Szegedy et al. 2016,
            section 7).
        multi_label: any number of labels a picture, each judged on its own; else exactly one.
        freeze: what keeps its weights: none or all of the backbone, or its layers up to the level of a stride (16).
        batch_norm_momentum: what batch norm keeps of its moving statistics at each step; none leaves the network's own.
            MobileNetV2's own 0.999 is made for long trainings: for the first thousand steps, validation, which uses
            these statistics, would look far worse than the network is.
        loss: "focal" gives less to samples that are right already (Lin et al. 2017).
        focal_gamma: how much less, the exponent of the focal factor; 0 is cross-entropy.
        l1, l2: what the loss pays for the sum of the kernels' absolute values, and of their squares; frozen layers,
            biases and normalisation cost nothing.
        class_weights: what a sample of each class weighs in the loss, 1 unless named; "balanced" is inverse to how
            frequent it is in training (see `class_balance.class_weights`).
        sampling: "balanced" draws each class equally often in training.
    """

    name: str = "mobilenet_v2"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    multi_label: bool = False
    freeze: Literal["none", "all"] | Annotated[int, Field(ge=1)] = "none"
    batch_norm_momentum: Annotated[float, Field(ge=0, lt=1)] | None = 0.9
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    focal_gamma: NotNegative = 2.0
    l1: NotNegative = 0.0
    l2: NotNegative = 0.0
    class_weights: ClassWeights = "none"
    sampling: Literal["natural", "balanced"] = "natural"

    @field_validator("sampling")
    @classmethod
    def _balance_once(cls, value: str, info: ValidationInfo) -> str:
        if value == "balanced" and info.data.get("multi_label"):
            raise ValueError("a picture with several labels has no one class to draw it by: balance class_weights")
        if value == "balanced" and info.data.get("class_weights") == "balanced":
            raise ValueError("class_weights are balanced already: take one of the two")
        return value
