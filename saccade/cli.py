"""The command line: a table of verbs. TensorFlow is loaded only by a verb that needs it, after its arguments were
accepted.

A verb without a function of its own is the function of its name in `saccade.api`: the arguments have the names of its
parameters, and what it returns is printed. Beside the table stand the verbs that tasks bring, `Task.commands`.
"""

from __future__ import annotations

import argparse
import inspect
import os
import signal
import sys
import traceback
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import __version__
from .models.errors import InputError, JobError, nearest, one_line
from .models.files import of_path
from .models.stopping import Interrupted, stoppable
from .quiet import QuietTensorFlow, log_to_stderr


def _train(parsed: argparse.Namespace) -> None:
    from . import api

    if parsed.dry_run:
        api.dry_run(parsed.recipe, *parsed.overrides)
        print("dry run: everything works")
    else:
        print(api.train(parsed.recipe, *parsed.overrides))


def _evaluate(parsed: argparse.Namespace) -> None:
    from . import api  # noqa: F401 (it refuses another backend of Keras)
    from .pipelines.evaluating.evaluate import evaluated
    from .pipelines.evaluating.metric_tables import breakdown_text, metrics_text

    found = evaluated(parsed.run, parsed.split, parsed.overrides, by=parsed.by)
    print(metrics_text(found.values))
    if parsed.by is not None:
        print("\n" + breakdown_text(parsed.by, found.parts))
    if found.folder is not None:
        print(found.folder)


def _predict(parsed: argparse.Namespace) -> int:
    from . import api  # noqa: F401 (it refuses another backend of Keras)
    from .pipelines.predicting.start import start

    task, found = start(parsed.run, parsed.places, parsed.batch, parsed.draw, parsed.save, parsed.tile, parsed.overlap)

    from .pipelines.predicting.answer_files import write_csv, write_jsonl

    return 2 if (write_csv if parsed.csv else write_jsonl)(found, task, sys.stdout) else 0


def _serve(parsed: argparse.Namespace) -> int:
    from . import api

    limits = (parsed.max_megabytes, parsed.max_images, parsed.max_megapixels)
    return 128 + api.serve(parsed.bundle, parsed.host, parsed.port, *limits).run()


def _show(parsed: argparse.Namespace) -> None:
    from . import api

    print(api.show(parsed.recipe, *parsed.overrides, image=parsed.out or api.SHEET, count=parsed.count))


def _models(parsed: argparse.Namespace) -> None:
    from . import api
    from .models.listing import table

    for task, networks in api.networks(parsed.task).items():
        print(f"model.name for task: {task}\n\n{table(networks)}\n")


def _recipes(parsed: argparse.Namespace) -> None:
    from . import api

    for name, lines in api.recipes().items():
        print(f"{name}\n" + "".join(f"    {line}\n" for line in lines))


def _recipe(parsed: argparse.Namespace) -> None:
    from . import api

    print(api.recipe(parsed.name), end="")


def _demo(parsed: argparse.Namespace) -> None:
    from .demo import demo

    demo(parsed.task)


@dataclass(frozen=True)
class Verb:
    """One row of the table.

    Attributes:
        summary: what it does, in a line.
        arguments: of `argparse`: names and options of each.
        work: takes what was parsed, and may return an exit code; None: the function of the verb's name in the API.
    """

    summary: str
    arguments: Sequence[tuple[tuple[str, ...], dict[str, Any]]] = ()
    work: Callable[[argparse.Namespace], int | None] | None = None


def _arg(*names: str, **options: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return names, options


RUN = _arg("run", metavar="RUN", help="the folder that 'train' left")
SPLIT = _arg("--split", default="test", help="train, validation, test, or all samples (test)")
RECIPE = (
    _arg("recipe", help="a recipe file, a shipped recipe (see 'saccade recipes'), or a task's name"),
    _arg(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="key.sub=value, laid over the recipe; for example train.epochs=3",
    ),
)

VERBS = {
    "train": Verb(
        "train a recipe, or resume its unfinished run",
        (
            *RECIPE,
            _arg(
                "--dry-run", action="store_true", help="one short epoch of everything, export included; keeps nothing"
            ),
        ),
        _train,
    ),
    "evaluate": Verb(
        "evaluate a run on held-out data",
        (
            RUN,
            SPLIT,
            _arg("--by", metavar="COLUMN", help="the metrics for each value of a column of the data, too"),
            _arg("overrides", nargs="*", metavar="data.KEY=VALUE", help="evaluate on other data"),
        ),
        _evaluate,
    ),
    "report": Verb("one page about a finished run: metrics, curves and what they say, mistakes, data", (RUN,)),
    "compare": Verb(
        "two runs side by side, and whether the difference may be chance",
        (
            _arg("first", metavar="RUN", help="the folder that 'train' left"),
            _arg("second", metavar="RUN", help="another one, of the same task and data"),
            SPLIT,
        ),
    ),
    "predict": Verb(
        "results for images, or whatever else the task takes, as JSON Lines or CSV on standard output",
        (
            RUN,
            _arg(
                "places", nargs="+", help="images: files, folders, zip files, globs, or - for a list on standard input"
            ),
            _arg("--csv", action="store_true", help="CSV instead of JSON Lines"),
            _arg("--draw", metavar="DIR", type=Path, help="also write images with their results drawn on them"),
            _arg("--save", metavar="DIR", type=Path, help="also write what is no line, as masks, as files"),
            _arg("--batch", type=int, default=32),
            _arg(
                "--tile", metavar="PIXELS", type=int, help="large images in tiles of at most this side: little memory"
            ),
            _arg("--overlap", metavar="PIXELS", type=int, help="what neighbouring tiles share (64)"),
        ),
        _predict,
    ),
    "export": Verb(
        "export a run as a SavedModel bundle that has proved itself",
        (
            RUN,
            _arg("--folder", help="where bundles stand (the recipe's export.folder)"),
            _arg("--name", help="the model's name for clients (the run's folder name)"),
            _arg("--version", type=int, help="the next free one unless given"),
        ),
    ),
    "ensemble": Verb(
        "one Predictor of several runs, or of several views by one; used like a run",
        (
            _arg("runs", nargs="+", metavar="RUN", help="folders that 'train' left"),
            _arg("--out", required=True, metavar="FOLDER", help="the new folder"),
            _arg(
                "--average",
                default="probabilities",
                help="probabilities (as slow as all together), or weights (runs of one start; as fast as one)",
            ),
            _arg("--flip", action="store_true", help="also look at every image, or crop, mirrored"),
            _arg(
                "--crops", type=int, default=1, help="5: centre and corners of a larger image; 10: the same with --flip"
            ),
            _arg(
                "--crop-share",
                type=float,
                default=0.875,
                help="a crop's side, as a fraction of the larger image's (0.875)",
            ),
        ),
    ),
    "serve": Verb(
        "serve a bundle over HTTP, as TensorFlow Serving's REST API does",
        (
            _arg("bundle", help="bundles/NAME, or one of its versions"),
            _arg("--host", default="127.0.0.1"),
            _arg("--port", type=int, default=8501, help="0 takes a free one"),
            _arg("--max-megabytes", type=int, default=64, help="of a request's body (64)"),
            _arg("--max-images", type=int, default=1024, help="in a request (1024)"),
            _arg("--max-megapixels", type=int, default=64, help="of all images of a request (64)"),
        ),
        _serve,
    ),
    "show": Verb(
        "a contact sheet of training samples as the network will see them",
        (
            *RECIPE,
            _arg("--out", metavar="FILE", help="the image to write, which must not exist (samples.png, replaced)"),
            _arg("--count", type=int, default=16),
        ),
        _show,
    ),
    "models": Verb(
        "list the networks for model.name: weights, sizes, levels, licences",
        (_arg("task", nargs="?", help="those of one task; of all unless given"),),
        _models,
    ),
    "recipes": Verb("list the shipped recipes", work=_recipes),
    "recipe": Verb("print a shipped recipe", (_arg("name"),), _recipe),
    "new": Verb(
        "write a recipe to start from, with every key and its meaning",
        (
            _arg("task", help="a task's name, as classification"),
            _arg("--out", metavar="FILE", help="the file to write (TASK.yaml)"),
        ),
    ),
    "demo": Verb(
        "the whole way on embedded data: train, evaluate, export, prove, serve, ask",
        (_arg("task", nargs="?", default="classification"),),
        _demo,
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0 done, 1 failed, 2 the user's input is wrong, 130 stopped by Ctrl-C, 143 stopped by SIGTERM.
    """
    with stoppable(whole_process=True):
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    try:
        log_to_stderr(always=True)
        _quiet_tensorflow()
        return _accept([each for each in arguments if each != "--debug"])() or 0
    except KeyboardInterrupt as stop:
        number = stop.number if isinstance(stop, Interrupted) else signal.SIGINT
        return _fail("stopped: run the same command again", stop, 128 + number, debug)
    except InputError as error:
        return _fail(str(error), error, 2, debug)
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except JobError as error:
        return _fail(str(error), error, 1, debug)
    except OSError as error:
        failure = of_path(error)
        return _fail(f"{failure} (--debug shows where)", error, 2 if isinstance(failure, InputError) else 1, debug)
    except Exception as error:
        if type(error).__name__ in ("MemoryError", "ResourceExhaustedError"):  # the second is TensorFlow's
            text = "this needs more memory than there is: take a smaller train.batch, input.size or network"
            return _fail(text, error, 1, debug)
        text = f"unexpected {type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
        return _fail(f"{text} (--debug shows where)", error, 1, debug)


def _fail(message: str, error: BaseException, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    print(f"saccade: {one_line(message)}", file=sys.stderr)
    return code


def _quiet_tensorflow() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, QuietTensorFlow())


def _accept(arguments: Sequence[str]) -> Callable[[], int | None]:
    """The work that was asked for, once its arguments are known to be right."""
    words = [each for each in arguments if not each.startswith("-")]
    if words and words[0] not in VERBS:
        return _accept_command(words[0], arguments[arguments.index(words[0]) + 1 :])
    parser = _parser(_brought() if not words else {})  # whoever asks for help may wait for the tasks
    parsed, rest = parser.parse_known_args(arguments)  # it takes no overrides behind an option: they are in `rest`
    if any(each.startswith("-") for each in rest) or (rest and not hasattr(parsed, "overrides")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        parsed.overrides += rest
    work = VERBS[parsed.verb].work
    return lambda: _call_api(parsed) if work is None else work(parsed)


def _parser(brought: Mapping[str, str]) -> argparse.ArgumentParser:
    listed = f" ({', '.join(brought)})" if brought else ""
    parser = argparse.ArgumentParser(
        prog="saccade",
        description="One recipe takes images from disk to a served model.",
        epilog=f"Tasks may bring verbs{listed}: 'saccade VERB key=value ...', or for your own task "
        "'saccade package.module:Name VERB key=value ...'. "
        "Exit codes: 0 done, 1 failed, 2 wrong input, 130 Ctrl-C, 143 SIGTERM. "
        "--debug shows the traceback of an error.",
    )
    parser.add_argument("--version", action="version", version=f"saccade {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, dest="verb")
    for name, verb in VERBS.items():
        row = verbs.add_parser(name, help=verb.summary, description=verb.summary)
        for names, options in verb.arguments:
            row.add_argument(*names, **options)
    return parser


def _call_api(parsed: argparse.Namespace) -> None:
    from . import api

    function = getattr(api, parsed.verb)
    positional, named = [], {}
    for name, parameter in inspect.signature(function).parameters.items():
        value = getattr(parsed, name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += value
        elif parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = value
        else:
            positional.append(value)
    print(function(*positional, **named))


def _brought() -> dict[str, str]:
    """The verbs that shipped tasks bring, each with the name of its task."""
    from .models import TASKS, find_task

    return {verb: task for task in TASKS for verb in find_task(task).commands}


def _accept_command(word: str, arguments: Sequence[str]) -> Callable[[], int | None]:
    """A verb that a task brings (`Task.commands`), its arguments typed and refused as a recipe's are.

    Args:
        word: the verb of a task that ships with saccade, or a user's own task, whose verb comes next.
        arguments: what stands behind it.
    """
    from .models import find_task
    from .models.naming import find_callable, own_code

    if ":" in word:
        task, known, (verb, *arguments) = word, find_task(word).commands, arguments or [""]
        if verb not in known:
            raise InputError(f"{task} has no verb '{verb}': {nearest(verb, known) if known else 'it brings none'}")
    else:
        verb, brought = word, _brought()
        if verb not in brought:
            raise InputError(f"no verb '{verb}': {nearest(verb, [*VERBS, *brought])}")
        task = brought[verb]
    kind = find_task(task)
    function = find_callable(kind.commands[verb], {}, kind.__module__.rpartition(".")[0], "verb")
    with own_code(task, "task", function):
        schema = _schema_of(function, verb)

    from .pipelines.recipe.recipe import read_options
    from .pipelines.recipe.shipped import keys_of

    if {"--help", "-h"} & set(arguments):
        usage = " ".join(["usage: saccade", *([task] if task == word else []), verb, "KEY=VALUE ..."])
        return lambda: print("\n\n".join([usage, inspect.getdoc(function) or "", keys_of(schema)]))
    options = read_options(schema, arguments, verb)

    def work() -> None:
        with own_code(task, "task", function):
            result = function(options)
        if result is not None:
            print(result)

    return work


def _schema_of(function: Callable, verb: str) -> type:
    """The `Options` class of a command's one argument."""
    from .models.options import Options

    hints = typing.get_type_hints(function)
    found = [hints.get(name) for name in inspect.signature(function).parameters]
    if len(found) != 1 or not (inspect.isclass(found[0]) and issubclass(found[0], Options)):
        raise InputError(f"verb '{verb}': {function.__name__} takes one argument, annotated with its Options class")
    return found[0]
