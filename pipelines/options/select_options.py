"""The recipe's `train.select`: one figure to be as good as it can, others that must be good enough."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, model_validator

from ...models.options import Options

LATENCY = "latency_ms"
"""The one figure that is not the evaluation's: how long one picture takes, in milliseconds."""


@dataclass(frozen=True)
class Bound:
    """What a figure must keep to: "< 20", "<= 20", "> 0.9", ">= 0.9"."""

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
    """Which epoch's weights are kept: the best by one figure among those that keep to the bounds."""

    maximise: str | None = None
    """That figure of the evaluation, on validation, where higher is better; the task's own unless one is given."""
    minimise: str | None = None
    """The same, where lower is better."""
    subject_to: dict[str, Annotated[str, BeforeValidator(_bound)]] = {}
    """Figure to bound. Beside the evaluation's there is `latency_ms`: the median time of one picture, a batch of one,
    from bytes to results through the Predictor, on the machine that trains."""

    @model_validator(mode="after")
    def _optimises_one_figure(self) -> Self:
        if self.maximise is not None and self.minimise is not None:
            raise ValueError("maximise or minimise one figure, not both: bound the other with subject_to")
        return self

    @property
    def figure(self) -> str | None:
        """What is optimised; None for the task's own."""
        return self.maximise or self.minimise

    @property
    def bounds(self) -> dict[str, Bound]:
        return {name: Bound.parse(text) for name, text in self.subject_to.items()}
