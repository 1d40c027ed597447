"""From a name in a recipe to the object it names: the import path is the registry. What is wrong with a user's own
module, or raised in it, is told in one line with its file and line."""

import importlib
import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError, JobError, nearest

_MAX_NAMED = 3
"""Folders that a message names, at most."""
_folders: dict[str, None] = {}
"""Those in which modules of the user's are looked for, the latest last."""


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
        InputError: unknown name, module that cannot be found or imported, or a module without that name.
    """
    check_name(name, table, kind)
    module_name, attribute = _split(table.get(name, name))
    if name not in table:
        make_importable(Path.cwd())
        importlib.invalidate_caches()  # the module may have been written a moment ago
    try:
        with own_code(name, kind):
            module = importlib.import_module(module_name, package)
    except InputError as error:
        missing = getattr(error.__cause__, "name", None)
        if isinstance(error.__cause__, ModuleNotFoundError) and f"{module_name}.".startswith(f"{missing}."):
            searched = ", ".join([*_folders][-_MAX_NAMED:])
            told = f"no module '{missing}' in {searched}, nor among what is installed"
            raise InputError(f"{kind} '{name}': {told}") from None
        raise
    if not hasattr(module, attribute):
        public = [each for each in vars(module) if not each.startswith("_")]
        file = getattr(module, "__file__", None) or module_name
        raise InputError(f"{kind} '{name}': {file} has no '{attribute}': {nearest(attribute, public)}")
    return getattr(module, attribute)


def find_callable(name: str, table: Mapping[str, str], package: str, kind: str) -> Any:
    """As `find_object`, for what is to be called; raises InputError for what cannot be."""
    found = find_object(name, table, package, kind)
    if not callable(found):
        raise InputError(f"{kind} '{name}': this is {_a(type(found))}, not a function or a class")
    return found


def find_class(name: str, table: Mapping[str, str], package: str, kind: str, base: type) -> Any:
    """As `find_object`, for a class of some kind.

    Raises:
        InputError: as `find_object`; or what is found is no class below `base`.
    """
    found = find_object(name, table, package, kind)
    if not (inspect.isclass(found) and issubclass(found, base)):
        is_a = "a class" if inspect.isclass(found) else _a(type(found))
        raise InputError(f"{kind} '{name}': this is {is_a}, and no subclass of saccade's {base.__name__}")
    return found


@contextmanager
def own_code(name: str, kind: str, called: Any = None) -> Iterator[None]:
    """What a user's own code raises, in one line with its file and line; what saccade ships raises what it does.

    Args:
        name: of the object whose code runs; only `package.module:Name` is the user's own.
        kind: the word for error messages.
        called: the object, to tell where it is defined when it cannot even be called.

    Raises:
        InputError: with the cause.
    """
    try:
        yield
    except (InputError, JobError):
        raise
    except Exception as error:
        if ":" not in name:
            raise
        lines = str(error).strip().splitlines()
        place = place_of(error) or _definition(called)
        text = error.msg if isinstance(error, SyntaxError) else lines[0] if lines else ""
        raise InputError(f"{kind} '{name}': {place}{type(error).__name__}: {text}".removesuffix(": ")) from error


def make_importable(folder: Path | str) -> None:
    """Puts a folder on the import path, so that `package.module:Name` in it is found."""
    _folders.pop(str(folder), None)
    _folders[str(folder)] = None
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def folders_of_run(folders: Sequence[str], run: Path | str) -> list[str]:
    """Import folders as a run notes them: as they are, and from the run, for when all is moved together.

    `Path(run) / each` is a folder again, of either kind.
    """
    return [*folders, *(os.path.relpath(each, run) for each in folders)]


def place_of(error: BaseException) -> str:
    """`file:line: ` of the innermost line of the user's own that was at work; "" where there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [f"{file}:{line}: " for file, line in lines if _is_own(file)]
    return own[-1] if own else ""


def _is_own(file: str) -> bool:
    package = os.path.dirname(os.path.dirname(__file__))
    standard = sysconfig.get_path("stdlib")
    installed = file.startswith((package + os.sep, standard + os.sep)) or "site-packages" in Path(file).parts
    return not installed and any(Path(file).is_relative_to(folder) for folder in _folders)


def _definition(called: Any) -> str:
    """`file:line: ` of a function or class; "" where it is not written in Python."""
    try:
        return f"{inspect.getsourcefile(called)}:{inspect.getsourcelines(called)[1]}: "
    except (TypeError, OSError):
        return ""


def _a(kind: type) -> str:
    return f"{'an' if kind.__name__[0].lower() in 'aeiou' else 'a'} {kind.__name__}"


def _split(name: str) -> tuple[str, str]:
    module, _, attribute = name.partition(":")
    return module, attribute
