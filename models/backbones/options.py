"""What every task with a backbone may say of it in the recipe's `model` section; free of TensorFlow."""

from typing import Annotated, Literal

from pydantic import Field

from ..contract import ModelOptions


class BackboneOptions(ModelOptions):
    """A model section with a backbone: what of it trains, and how its batch norm does."""

    freeze: Literal["none", "all"] | Annotated[int, Field(ge=1)] = "none"
    """What keeps its weights: `none` or `all` of the backbone, or its layers up to the level of a stride, as 16."""
    batch_norm: Literal["frozen", "train"] | None = None
    """Batch norm in the backbone: `frozen` uses its stored statistics and keeps its scale and offset, whatever else
    trains; `train` uses those of each batch and moves them. null is `frozen` where training starts from weights (small
    batches of few images would spoil what they hold) and `train` from scratch. Layers behind the backbone are new, and
    always train."""
    batch_norm_momentum: Annotated[float, Field(ge=0, lt=1)] | None = 0.9
    """What batch norm that trains keeps of its moving statistics at each step; null leaves the network's own.
    MobileNetV2's own 0.999 is made for long trainings: for the first thousand steps, validation, which uses these
    statistics, would look far worse than the network is."""

    @property
    def freezes_batch_norm(self) -> bool:
        """What `batch_norm` means for these weights."""
        return (self.batch_norm or ("train" if self.weights == "none" else "frozen")) == "frozen"
