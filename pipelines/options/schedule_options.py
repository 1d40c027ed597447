"""The recipe's `schedule`: how the learning rate changes over a phase. Lengths are in epochs."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, Tag

from ...models.options import Options
from .named_options import by_name

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
