"""The recipe's `train` and `export` sections: every knob of the loops, with its default."""

from typing import Annotated, Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from ...models.options import Incidental, Options, RecipePath
from .optimizer_options import Adam, Optimizer
from .schedule_options import Constant, Schedule
from .select_options import Select


class EarlyStopping(Options):
    """Stops a phase when a figure of the evaluation has not improved."""

    monitor: str | None = None
    """The figure; what `select` optimises unless one is given. The evaluation knows which way is better."""
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
    epochs: PositiveInt = 10
    """How often every training sample is seen."""
    batch: PositiveInt = 32
    """Samples in one step."""
    optimizer: Optimizer = Adam()
    """What turns gradients into steps."""
    schedule: Schedule = Constant()
    """How the learning rate changes from step to step."""
    head: HeadPhase | None = None
    """Fine-tuning in two phases: this one first, then `epochs` of all that `model.freeze` leaves trainable."""
    select: Select = Select()
    """Which epoch's weights are kept: `maximise` or `minimise` a figure of the evaluation, on validation (the task's
    own unless one is given), `subject_to` bounds on others."""
    early_stopping: EarlyStopping | None = None
    """Stop when a figure of the evaluation has not improved for `patience` epochs."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """What numbers the network computes with: `mixed_bfloat16` and `mixed_float16` keep its weights in float32."""
    jit: Annotated[bool, Incidental()] = False
    """Compile the training step with XLA."""
    callbacks: list[str] = []
    """Keras callbacks of your own, each as `package.module:Name`; made without arguments."""
    memory: Annotated[NonNegativeInt, Incidental()] = 1024
    """Encoded pictures, decoded ones, and what is the same every epoch (features; pictures without augmentation) are
    kept in memory up to this many MiB each; what is larger is read or prepared anew each epoch."""


class ExportOptions(Options):
    """The recipe's `export` section."""

    folder: RecipePath | None = None
    """Where bundles stand; `bundles` in the working folder unless given."""
    name: str | None = None
    """The model's name for servers and clients; the run's folder name unless given."""
