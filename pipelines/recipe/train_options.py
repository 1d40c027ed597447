"""The recipe's `train` and `export` sections: every knob of the loops, with its default."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from ...models.options import Incidental, Options, RecipePath
from .optimizer_options import Adam, Constant, Optimizer, Schedule

LATENCY = "latency_ms"
"""The one metric that is not the evaluation's: how long one image takes, in milliseconds."""


@dataclass(frozen=True)
class Bound:
    """What a metric must keep to: "< 20", "<= 20", "> 0.9", ">= 0.9"."""

    sign: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> Bound:
        """Reads a bound.

        Raises:
            ValueError: it is none.
        """
        found = re.fullmatch(r"\s*(<=|>=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*", text)
        if found is None:
            raise ValueError('a bound is "< 20", "<= 20", "> 0.9" or ">= 0.9", in quotes')
        return cls(found[1], float(found[2]))

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:g}"

    def excess(self, value: float) -> float:
        """How far a value is past the limit, as a share of the limit (of 1 where it is 0); exactly 0 where it is kept.

        A value that is not there (NaN) is infinitely far.
        """
        kept = {"<": value < self.limit, "<=": value <= self.limit, ">": value > self.limit, ">=": value >= self.limit}
        if kept[self.sign]:
            return 0.0
        share = abs(value - self.limit) / (abs(self.limit) or 1.0)
        return math.inf if math.isnan(share) else max(share, math.ulp(1.0))  # "< 20" is not kept by 20


def _bound(value: Any) -> Any:
    Bound.parse(value if isinstance(value, str) else "")
    return value


class Select(Options):
    """Which epoch's weights are kept: the best by one metric among those that keep to the bounds."""

    maximise: str | None = None
    """That metric of the evaluation, on validation, where higher is better; the task's own unless one is given."""
    minimise: str | None = None
    """The same, where lower is better."""
    subject_to: dict[str, Annotated[str, BeforeValidator(_bound)]] = {}
    """Metric to bound. Beside the evaluation's there is `latency_ms`: the median time of one image, a batch of one,
    from bytes to results through the Predictor, on the machine that trains."""

    @model_validator(mode="after")
    def _optimises_one_metric(self) -> Self:
        if self.maximise is not None and self.minimise is not None:
            raise ValueError("maximise or minimise one metric, not both: bound the other with subject_to")
        return self

    @property
    def metric(self) -> str | None:
        """What is optimised; None for the task's own."""
        return self.maximise or self.minimise

    @property
    def bounds(self) -> dict[str, Bound]:
        return {name: Bound.parse(text) for name, text in self.subject_to.items()}


class EarlyStopping(Options):
    """Stops a phase when a metric of the evaluation has not improved."""

    monitor: str | None = None
    """The metric; what `select` optimises unless one is given. The evaluation knows which way is better."""
    patience: PositiveInt = 5
    """Epochs without improvement that are borne."""
    min_delta: NonNegativeFloat = 0.0
    """What counts as an improvement is more than this."""


class HeadPhase(Options):
    """The first of two phases: the head alone, on features of the backbone that are computed once."""

    epochs: PositiveInt = 20
    """Epochs for the head alone."""
    optimizer: Optimizer = Adam()
    """What turns gradients into steps, as below `train`."""
    schedule: Schedule = Constant()
    """How its learning rate changes, as below `train`."""


class TrainOptions(Options):
    """The recipe's `train` section."""

    run: Annotated[RecipePath | None, Incidental()] = None
    """The folder of the run; `runs/` and the recipe's name unless given."""
    seed: int = 0
    """What everything random begins with: first weights, order, augmentation."""
    epochs: NonNegativeInt = 10
    """How often every training sample is seen; 0 keeps the weights that the model begins with."""
    batch: PositiveInt = 32
    """Samples in one step."""
    optimizer: Optimizer = Adam()
    """What turns gradients into steps."""
    schedule: Schedule = Constant()
    """How the learning rate changes from step to step."""
    head: HeadPhase | None = None
    """Fine-tuning in two phases: this one first, then `epochs` of all that `model.freeze` leaves trainable."""
    select: Select = Select()
    """Which epoch's weights are kept: `maximise` or `minimise` a metric of the evaluation, on validation (the task's
    own unless one is given), `subject_to` bounds on others."""
    early_stopping: EarlyStopping | None = None
    """Stop when a metric of the evaluation has not improved for `patience` epochs."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """What numbers the network computes with: `mixed_bfloat16` and `mixed_float16` keep its weights in float32."""
    jit: Annotated[bool, Incidental()] = False
    """Compile the training step with XLA."""
    callbacks: list[str] = []
    """Keras callbacks of your own, each as `package.module:Name`; made without arguments."""
    memory: Annotated[NonNegativeInt, Incidental()] = 1024
    """Encoded images, decoded ones, and what is the same every epoch (features; images without augmentation) are
    kept in memory up to this many MiB each; what is larger is read or prepared anew each epoch."""


class ExportOptions(Options):
    """The recipe's `export` section."""

    folder: RecipePath | None = None
    """Where bundles stand; `bundles` in the working folder unless given."""
    name: str | None = None
    """The model's name for servers and clients; the run's folder name unless given."""
    keep_samples: bool | None = None
    """Whether a bundle carries its proof samples, and a warm-up request made of one; where it is not said the task
    decides. Without them the proof runs all the same, and what it ran on stays in the run."""
