"""How sections of a recipe are typed: strict pydantic models, paths marked as paths."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag


class Options(BaseModel):
    """One section of a recipe: unknown keys are refused, values are not changed after they were read."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        validate_default=True,
        use_attribute_docstrings=True,  # what stands below a field is its meaning, in `saccade new` too
    )
    moved: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Former keys of this section, to where they stand now: `{"threshold": "results.threshold"}`."""


def move_keys(sections: dict[str, Any], schemas: Mapping[str, type[Options]]) -> dict[str, Any]:
    """The sections of a recipe of an earlier version, with each key where it stands now.

    Args:
        sections: name to plain values.
        schemas: name to the section's type.
    """
    result = {name: dict(each) if isinstance(each, Mapping) else each for name, each in sections.items()}
    for name, schema in schemas.items():
        if not isinstance(result.get(name), dict):
            continue
        for key in schema.moved.keys() & result[name].keys():
            section, _, field = schema.moved[key].partition(".")
            if result.get(section) is None:
                result[section] = {}
            result[section].setdefault(field, result[name].pop(key))
    return result


class IsPath:
    """Marks a field as a path, to be resolved where it was written; `words` are values that are no paths.

    Example: `weights: Annotated[str, IsPath("imagenet", "none")] = "none"`.
    """

    def __init__(self, *words: str):
        self.words = words

    def is_path(self, value: Any) -> bool:
        return isinstance(value, str) and bool(value) and value not in self.words


class Incidental:
    """Marks a field that changes nothing in what a training learns: a run is resumed whatever it says by then."""


RecipePath = Annotated[str, IsPath()]


NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


Weights = dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]]
"""What each name weighs, above 0."""
BY_FORM = Discriminator(lambda value: "weights" if isinstance(value, dict) else "word")
"""Of a field that takes a word or weights: what is wrong is told of the form that was meant alone."""

ClassWeights = Annotated[
    Annotated[Literal["none", "balanced"], Tag("word")] | Annotated[Weights, Tag("weights")], BY_FORM
]
"""What each class weighs in a loss: a word, or weights by name."""
