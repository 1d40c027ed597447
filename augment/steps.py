"""Reads the `augment` section of a recipe: what stands there, before anyone asks whether such transforms exist."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import AugmentError, nearest, reasons

if TYPE_CHECKING:
    from pydantic import BaseModel

Kind = TypeVar("Kind", bound="BaseModel")


@dataclass(frozen=True)
class Step:
    """One entry of the list.

    Attributes:
        name: the transform's name.
        arguments: its arguments, without `transforms`.
        children: the entries under `transforms`, for one that holds others (`OneOf`); None where there is no such key.
        where: its place for messages, `augment[2].OneOf.transforms[0]`.
    """

    name: str
    arguments: Mapping[str, Any]
    children: tuple["Step", ...] | None
    where: str


def read_steps(entries: Sequence[str | Mapping[str, Any]], where: str = "augment") -> tuple[Step, ...]:
    """Reads a list of names and single-key mappings `{name: {argument: value}}`.

    Raises:
        AugmentError: not a list, or an entry that is neither of the two.
    """
    if isinstance(entries, str) or not isinstance(entries, Sequence):
        raise AugmentError(f"{where}: a list of transforms is needed, got {_shown(entries)}")
    return tuple(_read(entry, f"{where}[{index}]") for index, entry in enumerate(entries))


def with_arguments(kind: type[Kind], step: Step) -> Kind:
    """A pydantic model with the arguments of the step that names it.

    Raises:
        AugmentError: an unknown argument, with the nearest one, a wrong value, or steps in it.
    """
    from pydantic import ValidationError

    if step.children is not None:
        raise AugmentError(f"{step.where}: {step.name} holds no 'transforms'")
    for name in step.arguments:
        if name not in kind.model_fields:
            known = nearest(name, kind.model_fields)
            raise AugmentError(f"{step.where}: {step.name}: unknown argument '{name}': {known}")
    try:
        return kind(**step.arguments)
    except ValidationError as error:
        raise AugmentError(f"{step.where}: {step.name}: {reasons(error, step.arguments)}") from error


def _read(entry: object, where: str) -> Step:
    if isinstance(entry, str):
        return Step(entry, {}, None, where)
    if not isinstance(entry, Mapping):
        raise AugmentError(f"{where}: a name or {{name: {{argument: value}}}} is needed, got {_shown(entry)}")
    if len(entry) != 1:
        raise AugmentError(
            f"{where}: one name is needed, got {len(entry)} keys ({', '.join(map(str, entry))}); "
            "arguments stand one step further in, under the name"
        )
    (name, given), *_ = entry.items()
    if not isinstance(name, str):
        raise AugmentError(f"{where}: the name of a transform is needed, got {_shown(name)}")
    arguments = {} if given is None else given  # "- RandomRotate90:" with nothing after the colon
    if not isinstance(arguments, Mapping) or not all(isinstance(argument, str) for argument in arguments):
        raise AugmentError(f"{where}: {name}: arguments as {{name: value}} are needed, got {_shown(given)}")
    arguments = dict(arguments)
    children = None
    if "transforms" in arguments:
        children = read_steps(arguments.pop("transforms"), f"{where}.{name}.transforms")
    return Step(name, arguments, children, where)


def _shown(value: object) -> str:
    return f"{value!r} ({type(value).__name__})"
