"""The recipe's `optimizer` and `schedule`: which rule updates the weights, and how the learning rate changes.

Defaults are those of Keras, except where a docstring gives the reason.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, Tag, model_validator

from ...models.options import Options


def by_name(default: str) -> Discriminator:
    """Chooses among kinds by `name`, which may be left out where the default is meant."""

    def name_of(value: Any) -> str:
        return value.get("name", default) if isinstance(value, dict) else getattr(value, "name", default)

    return Discriminator(name_of)


Momentum = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class AnyOptimizer(Options):
    """What every optimizer takes."""

    name: str
    learning_rate: PositiveFloat = 1e-3
    """How far a step goes, before `train.schedule` and `stages`."""
    weight_decay: NonNegativeFloat = 0.0
    """Decoupled (Loshchilov and Hutter, 2019), times the learning rate; biases and normalisation are left out of it."""
    clip_norm: PositiveFloat | None = None
    """The largest norm of all gradients together (Pascanu et al. 2013, section 3.2)."""
    clip_value: PositiveFloat | None = None
    """The largest absolute value of each gradient; this or `clip_norm`."""
    ema: Share | None = None
    """Momentum of a moving average of the weights, as 0.999 (Polyak and Juditsky, 1992): the averaged ones are
    validated and kept, the plain ones go on training. In the first updates the momentum is smaller:
    (1 + updates) / (10 + updates). The statistics of batch norm stay those of the plain weights."""
    accumulate: PositiveInt = 1
    """Steps whose gradients are averaged before one update; a group that an epoch's end leaves incomplete goes on in
    the next. Schedules count steps and epochs all the same."""
    stages: dict[PositiveInt, NonNegativeFloat] = {}
    """Factors of the learning rate (Howard and Ruder 2018, section 3.2): `{4: 0.1, 16: 0.3}` gives the layers up to the
    backbone's level of stride 4 a tenth of it, those up to stride 16 three tenths, all others and the head the
    whole."""
    groups: dict[str, "Optimizer"] = {}
    """For a model that is trained by several optimizers at once (a generator and a discriminator): the name of a group
    of its variables to that group's own `optimizer`; a group that is not named has this one."""

    @model_validator(mode="after")
    def _clips_in_one_way(self) -> Self:
        if self.clip_norm is not None and self.clip_value is not None:
            raise ValueError("clip_norm or clip_value, not both")
        return self


class Adam(AnyOptimizer):
    """Kingma and Ba, 2015."""

    name: Literal["adam"] = "adam"
    beta_1: Momentum = 0.9
    beta_2: Momentum = 0.999
    epsilon: PositiveFloat = 1e-7


class AdamW(Adam):
    """Loshchilov and Hutter, 2019: Adam with weight decay by default, a mild one (Keras: 0.004)."""

    name: Literal["adamw"] = "adamw"
    weight_decay: NonNegativeFloat = 1e-4


class Nadam(Adam):
    """Adam with Nesterov's momentum (Dozat, 2016)."""

    name: Literal["nadam"] = "nadam"


class Sgd(AnyOptimizer):
    """Stochastic gradient descent with momentum, Nesterov's unless switched off; Keras' own default has none."""

    name: Literal["sgd"] = "sgd"
    learning_rate: PositiveFloat = 1e-2
    momentum: Momentum = 0.9
    nesterov: bool = True


class RmsProp(AnyOptimizer):
    """Hinton, 2012: gradients over the root of their moving mean square; `centered` takes the variance in its place."""

    name: Literal["rmsprop"] = "rmsprop"
    rho: Momentum = 0.9
    momentum: Momentum = 0.0
    centered: bool = False
    epsilon: PositiveFloat = 1e-7


class Adagrad(AnyOptimizer):
    """Duchi et al., 2011: gradients over the root of the sum of all their squares."""

    name: Literal["adagrad"] = "adagrad"
    initial_accumulator_value: NonNegativeFloat = 0.1
    epsilon: PositiveFloat = 1e-7


class Lion(AnyOptimizer):
    """Chen et al., 2023: the sign of a momentum. All updates are of one size, so that its learning rate is three to ten
    times smaller than Adam's (section 5): 0.0001 here, 0.001 in Keras."""

    name: Literal["lion"] = "lion"
    learning_rate: PositiveFloat = 1e-4
    beta_1: Share = 0.9
    beta_2: Momentum = 0.99


Optimizer = Annotated[
    Annotated[Adam, Tag("adam")]
    | Annotated[AdamW, Tag("adamw")]
    | Annotated[Nadam, Tag("nadam")]
    | Annotated[Sgd, Tag("sgd")]
    | Annotated[RmsProp, Tag("rmsprop")]
    | Annotated[Adagrad, Tag("adagrad")]
    | Annotated[Lion, Tag("lion")],
    by_name("adam"),
]

for _kind in (Adam, AdamW, Nadam, Sgd, RmsProp, Adagrad, Lion):  # `groups` holds what was only defined here
    _kind.model_rebuild()


Factor = Annotated[float, Field(gt=0, lt=1)]
Final = Annotated[float, Field(ge=0, le=1)]


class Constant(Options):
    """The learning rate as it is."""

    name: Literal["constant"] = "constant"
    warmup: NonNegativeFloat = 0.0
    """Epochs over which the learning rate rises linearly from zero (Goyal et al. 2017, section 2.2)."""


class Step(Constant):
    """The learning rate times `factor` at each of the epochs `at`."""

    name: Literal["step"] = "step"
    at: list[PositiveInt]
    factor: Factor = 0.1


class Exponential(Constant):
    """The learning rate times `factor` an epoch, a little at every step."""

    name: Literal["exponential"] = "exponential"
    factor: Factor = 0.9


class Cosine(Constant):
    """Half a cosine from the learning rate to `final` times it (Loshchilov and Hutter 2017, without restarts)."""

    name: Literal["cosine"] = "cosine"
    final: Final = 0.0


class Polynomial(Constant):
    """From the learning rate to `final` times it, by the share of the phase that is left, to the power of `power`: a
    straight line unless it is set (0.9 in Chen et al. 2018, section 4.1)."""

    name: Literal["polynomial"] = "polynomial"
    power: PositiveFloat = 1.0
    final: Final = 0.0


Schedule = Annotated[
    Annotated[Constant, Tag("constant")]
    | Annotated[Step, Tag("step")]
    | Annotated[Exponential, Tag("exponential")]
    | Annotated[Cosine, Tag("cosine")]
    | Annotated[Polynomial, Tag("polynomial")],
    by_name("constant"),
]
