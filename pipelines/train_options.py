"""The recipe's `train` and `export` sections: every knob of the loops, with its default."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from ..models.options import Options, RecipePath

Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
LearningRate = Annotated[float, Field(gt=0)]


def _named(default: str) -> Discriminator:
    """Chooses among sections by their `name`, which may be left out where the default is meant."""

    def name_of(value: Any) -> str:
        return value.get("name", default) if isinstance(value, dict) else getattr(value, "name", default)

    return Discriminator(name_of)


class Adam(Options):
    """Kingma and Ba, 2015."""

    name: Literal["adam"] = "adam"
    learning_rate: LearningRate = 1e-3
    beta_1: Share = 0.9
    beta_2: Share = 0.999
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class AdamW(Adam):
    """Loshchilov and Hutter, 2019: decoupled weight decay; biases and normalisation are left out of it."""

    name: Literal["adamw"] = "adamw"
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4


class Sgd(Options):
    """Stochastic gradient descent with (Nesterov) momentum."""

    name: Literal["sgd"] = "sgd"
    learning_rate: LearningRate = 1e-2
    momentum: Share = 0.9
    nesterov: bool = True
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


Optimizer = Annotated[
    Annotated[Adam, Tag("adam")] | Annotated[AdamW, Tag("adamw")] | Annotated[Sgd, Tag("sgd")], _named("adam")
]


class Constant(Options):
    """The learning rate as it is."""

    name: Literal["constant"] = "constant"
    warmup: Annotated[float, Field(ge=0)] = 0.0
    """Epochs over which the learning rate rises linearly from zero (Goyal et al. 2017, section 2.2)."""


class Step(Constant):
    """The learning rate times `factor` at each of the epochs `at`."""

    name: Literal["step"] = "step"
    at: list[Positive]
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1


class Cosine(Constant):
    """Half a cosine from the learning rate to `final` times it (Loshchilov and Hutter 2017, without restarts)."""

    name: Literal["cosine"] = "cosine"
    final: Share = 0.0


Schedule = Annotated[
    Annotated[Constant, Tag("constant")] | Annotated[Step, Tag("step")] | Annotated[Cosine, Tag("cosine")],
    _named("constant"),
]


class EarlyStopping(Options):
    """Stops when the monitored figure has not improved."""

    patience: Positive = 5
    """Epochs without improvement that are borne."""
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    """What counts as an improvement, at least."""


class HeadPhase(Options):
    """The first of two phases: the head alone, on features of the backbone that are computed once."""

    epochs: Positive = 20
    """Epochs for the head alone."""
    optimizer: Optimizer = Adam()
    """What turns gradients into steps, as below `train`."""
    schedule: Schedule = Constant()
    """How its learning rate changes, as below `train`."""


class TrainOptions(Options):
    """The recipe's `train` section."""

    run: RecipePath | None = None
    """The folder of the run; `runs/` and the recipe's name unless given."""
    seed: int = 0
    """What everything random begins with: first weights, order, augmentation."""
    epochs: Positive = 10
    """How often every training sample is seen."""
    batch: Positive = 32
    """Samples in one step."""
    optimizer: Optimizer = Adam()
    """What turns gradients into steps."""
    schedule: Schedule = Constant()
    """How the learning rate changes from step to step."""
    head: HeadPhase | None = None
    """Fine-tuning in two phases: this one first, then `epochs` of all that `model.freeze` leaves trainable."""
    monitor: str | None = None
    """The figure of the evaluation, on validation, that chooses the best weights; the task's own unless given."""
    early_stopping: EarlyStopping | None = None
    """Stop when the monitored figure has not improved for `patience` epochs."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """What numbers the network computes with: `mixed_bfloat16` and `mixed_float16` keep its weights in float32."""
    jit: bool = False
    """Compile the training step with XLA."""
    callbacks: list[str] = []
    """Keras callbacks of your own, each as `package.module:Name`; made without arguments."""
    memory: Annotated[int, Field(ge=0)] = 1024
    """Encoded pictures, decoded ones, and what is the same every epoch (features; pictures without augmentation) are
    kept in memory up to this many MiB each; what is larger is read or prepared anew each epoch."""


class ExportOptions(Options):
    """The recipe's `export` section."""

    folder: RecipePath | None = None
    """Where bundles stand; `bundles` in the working folder unless given."""
    name: str | None = None
    """The model's name for servers and clients; the run's folder name unless given."""
