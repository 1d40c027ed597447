"""The recipe's `model` section for classification."""

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from ..backbones.options import BackboneOptions
from ..errors import nearest
from ..options import ClassWeights, Incidental, NotNegative, Options


class ClassificationOptions(BackboneOptions):
    """What a classifier is made of."""

    moved = MappingProxyType({name: f"results.{name}" for name in ("calibrate", "thresholds")})

    name: str = "mobilenet_v2"
    """A network from the task's table, or your own as `package.module:Name` (see `model.build`)."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the features that training drops before the last layer, 0 to below 1."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of a target that is spread over all classes (Szegedy et al. 2016, section 7)."""
    multi_label: bool = False
    """Any number of labels an image, each judged on its own; else exactly one."""
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    """What is minimised; `focal` gives less to samples that are right already (Lin et al. 2017)."""
    focal_gamma: NotNegative = 2.0
    """How much less, the exponent of the focal factor; 0 is cross-entropy."""
    l1: NotNegative = 0.0
    """What the loss pays for the sum of the absolute values of all kernels that are trained."""
    l2: NotNegative = 0.0
    """What the loss pays for the sum of their squares; biases and normalisation are free."""
    class_weights: ClassWeights = "none"
    """What each class weighs in the loss: `balanced` is inverse to how frequent it is in training; or weights by name,
    as `{rose: 2.0}`, 1 for the others."""
    sampling: Literal["natural", "balanced"] = "natural"
    """Whether training draws samples as they are, or each class equally often."""

    @field_validator("sampling")
    @classmethod
    def _balance_once(cls, value: str, info: ValidationInfo) -> str:
        if value == "balanced" and info.data.get("multi_label"):
            raise ValueError("an image with several labels has no one class to draw it by: balance class_weights")
        if value == "balanced" and info.data.get("class_weights") == "balanced":
            raise ValueError("class_weights are balanced already: take one of the two")
        return value


class ClassificationResults(Options):
    """How probabilities are answered."""

    calibrate: Annotated[bool, Incidental()] = True
    """With one label an image, fit a temperature on validation, so that probabilities are as high as the model is
    right (Guo et al. 2017)."""
    thresholds: str | float | dict[str, float] = "best_f1"
    """With several labels, from which probability on each counts as present: `best_f1` and `{precision: 0.9}` choose
    one for each label on validation, the latter the lowest with at least that precision; a number is for all."""

    @field_validator("thresholds")
    @classmethod
    def _can_be_chosen(cls, value: str | float | dict[str, float]) -> str | float | dict[str, float]:
        if isinstance(value, str):
            if value != "best_f1":
                raise ValueError(f"{nearest(value, ['best_f1'])} (or {{precision: 0.9}}, or a number)")
            return value
        if isinstance(value, dict) and list(value) != ["precision"]:
            raise ValueError("a mapping has the one key precision: {precision: 0.9}")
        number = value["precision"] if isinstance(value, dict) else value
        if not 0 <= number <= 1:
            raise ValueError("a threshold and a precision lie between 0 and 1")
        return value
