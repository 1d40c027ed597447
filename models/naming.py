"""From a name in a recipe to the object it names: the import path is the registry."""

import importlib
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from .errors import InputError, nearest


def check_name(name: str, table: Collection[str], kind: str) -> None:
    """Refuses a name that is neither in `table` nor of the form `package.module:Name`; imports nothing.

    Args:
        name: what the recipe says.
        table: names that saccade ships.
        kind: the word for the error message, "task" or "model".

    Raises:
        InputError: unknown name, with the nearest known ones.
    """
    if name not in table and not all(part.strip() for part in _split(name)):
        raise InputError(f"unknown {kind} '{name}': {nearest(name, table)} (your own is package.module:Name)")


def find_object(name: str, table: Mapping[str, str], package: str, kind: str) -> Any:
    """Imports what `name` stands for.

    Args:
        name: a key of `table`, or a user's own `package.module:Name`.
        table: names that saccade ships, to `module:Name`; a leading dot is relative to `package`.
        package: the package that the table's relative modules belong to.
        kind: the word for error messages.

    Raises:
        InputError: unknown name, module that cannot be found, or a module without that name.
    """
    check_name(name, table, kind)
    module_name, attribute = _split(table.get(name, name))
    try:
        module = importlib.import_module(module_name, package)
    except ModuleNotFoundError as error:
        if name in table or not module_name.startswith(str(error.name)):
            raise  # a missing dependency of the module is a fault of its own, not a wrong name
        raise InputError(
            f"{kind} '{name}': no module '{error.name}'; the recipe's folder and the working folder are searched"
        ) from None
    if not hasattr(module, attribute):
        public = [each for each in vars(module) if not each.startswith("_")]
        raise InputError(f"{kind} '{name}': '{module_name}' has no '{attribute}': {nearest(attribute, public)}")
    return getattr(module, attribute)


def make_importable(folder: Path | str) -> None:
    """Puts a recipe's folder on the import path, so that `package.module:Name` beside it is found."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _split(name: str) -> tuple[str, str]:
    module, _, attribute = name.partition(":")
    return module, attribute
