"""The recipe's `model` section for classification."""

from typing import Annotated, Literal

from pydantic import Field

from ..task import ModelOptions


class ClassificationOptions(ModelOptions):
    """What a classifier is made of."""

    name: str = "mobilenet_v2"
    """A network from the task's table, or your own as `package.module:Name` (see `model.build`)."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the features that training drops before the last layer, 0 to below 1."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of a target that is spread over all classes (Szegedy et al. 2016, section 7)."""
    multi_label: bool = False
    """Any number of labels a picture, each judged on its own; else exactly one."""
    freeze: Literal["none", "all"] | Annotated[int, Field(ge=1)] = "none"
    """What keeps its weights: `none` or `all` of the backbone, or its layers up to the level of a stride, as 16."""
    batch_norm_momentum: Annotated[float, Field(ge=0, lt=1)] | None = 0.9
    """What batch norm keeps of its moving statistics at each step; null leaves the network's own. MobileNetV2's own
    0.999 is made for long trainings: for the first thousand steps, validation, which uses these statistics, would look
    far worse than the network is."""
