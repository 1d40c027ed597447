"""The recipe's `model` section for classification."""

from typing import Annotated, Literal

from pydantic import Field

from ..task import ModelOptions


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
    """

    name: str = "mobilenet_v2"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    multi_label: bool = False
    freeze: Literal["none", "all"] | Annotated[int, Field(ge=1)] = "none"
    batch_norm_momentum: Annotated[float, Field(ge=0, lt=1)] | None = 0.9
