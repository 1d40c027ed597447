"""The command line. TensorFlow is loaded only by a verb that needs it, after its arguments were accepted."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .models.errors import InputError, JobError, nearest, one_line
from .models.files import of_path
from .models.stopping import Interrupted, stoppable
from .quiet import QuietTensorFlow, log_to_stderr

RECIPE_HELP = "a recipe file, a shipped recipe (see 'saccade recipes'), or a task's name"
SPLIT_HELP = "train, validation, test, or all samples (test)"
OVERRIDE_HELP = "key.sub=value, laid over the recipe; for example train.epochs=3"


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
        parsed = _parse([each for each in arguments if each != "--debug"])
        log_to_stderr(always=True)
        _quiet_tensorflow()
        return parsed.verb(parsed) or 0
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


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="saccade",
        description="One recipe takes images from disk to a served model.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong input, 130 Ctrl-C, 143 SIGTERM. "
        "--debug shows the traceback of an error.",
    )
    parser.add_argument("--version", action="version", version=f"saccade {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    train = _verb(verbs, _train, "train a recipe, or resume its unfinished run", recipe=True)
    train.add_argument(
        "--dry-run", action="store_true", help="one short epoch of everything, export included; keeps nothing"
    )

    evaluate = _verb(verbs, _evaluate, "evaluate a run on held-out data")
    evaluate.add_argument("run", help="the folder that 'train' left")
    evaluate.add_argument("--split", default="test", help=SPLIT_HELP)
    evaluate.add_argument("--by", metavar="COLUMN", help="the figures for each value of a column of the data, too")
    evaluate.add_argument("overrides", nargs="*", metavar="data.KEY=VALUE", help="evaluate on other data")

    report = _verb(verbs, _report, "one page about a finished run: figures, curves and what they say, mistakes, data")
    report.add_argument("run", help="the folder that 'train' left")
    compare = _verb(verbs, _compare, "two runs side by side, and whether the difference may be chance")
    compare.add_argument("first", metavar="RUN", help="the folder that 'train' left")
    compare.add_argument("second", metavar="RUN", help="another one, of the same task and data")
    compare.add_argument("--split", default="test", help=SPLIT_HELP)

    predict = _verb(verbs, _predict, "results for pictures, as JSON Lines or CSV on standard output")
    predict.add_argument("run", help="the folder that 'train' left")
    predict.add_argument(
        "pictures", nargs="+", help="files, folders, zip files, globs, or - for a list on standard input"
    )
    predict.add_argument("--csv", action="store_true", help="CSV instead of JSON Lines")
    predict.add_argument(
        "--draw", metavar="DIR", type=Path, help="also write pictures with their results drawn on them"
    )
    predict.add_argument("--save", metavar="DIR", type=Path, help="also write what is no line, as masks, as files")
    predict.add_argument("--batch", type=int, default=32)
    predict.add_argument(
        "--tile", metavar="PIXELS", type=int, help="large pictures in tiles of at most this side, for little memory"
    )
    predict.add_argument("--overlap", metavar="PIXELS", type=int, help="what neighbouring tiles share (64)")

    export = _verb(verbs, _export, "export a run as a SavedModel bundle that has proved itself")
    export.add_argument("run", help="the folder that 'train' left")
    export.add_argument("--folder", help="where bundles stand (the recipe's export.folder)")
    export.add_argument("--name", help="the model's name for clients (the run's folder name)")
    export.add_argument("--version", type=int, help="the next free one unless given")

    ensemble = _verb(verbs, _ensemble, "one Predictor of several runs, or of several views by one; used like a run")
    ensemble.add_argument("runs", nargs="+", metavar="RUN", help="folders that 'train' left")
    ensemble.add_argument("--out", required=True, metavar="FOLDER", help="the new folder")
    ensemble.add_argument(
        "--average",
        default="probabilities",
        help="probabilities (as slow as all together), or weights (runs of one start; as fast as one)",
    )
    ensemble.add_argument("--flip", action="store_true", help="also look at every picture, or crop, mirrored")
    ensemble.add_argument(
        "--crops", type=int, default=1, help="5: centre and corners of a larger picture; 10: the same with --flip"
    )
    ensemble.add_argument(
        "--crop-share", type=float, default=0.875, help="a crop's side as a share of the larger picture's (0.875)"
    )

    serve = _verb(verbs, _serve, "serve a bundle over HTTP, as TensorFlow Serving's REST API does")
    serve.add_argument("bundle", help="bundles/NAME, or one of its versions")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8501, help="0 takes a free one")
    serve.add_argument("--max-megabytes", type=int, default=64, help="of a request's body (64)")
    serve.add_argument("--max-images", type=int, default=1024, help="in a request (1024)")
    serve.add_argument("--max-megapixels", type=int, default=64, help="of all images of a request (64)")

    show = _verb(verbs, _show, "a contact sheet of training samples as the network will see them", recipe=True)
    show.add_argument("--out", metavar="FILE", help="the image to write, which must not exist (samples.png, replaced)")
    show.add_argument("--count", type=int, default=16)

    models = _verb(verbs, _models, "list the networks for model.name: weights, sizes, levels, licences")
    models.add_argument("task", nargs="?", help="those of one task; of all unless given")

    _verb(verbs, _recipes, "list the shipped recipes")
    recipe = _verb(verbs, _recipe, "print a shipped recipe")
    recipe.add_argument("name")

    new = _verb(verbs, _new, "write a recipe to start from, with every key and its meaning")
    new.add_argument("task", help="a task's name, as classification")
    new.add_argument("--out", metavar="FILE", help="the file to write (TASK.yaml)")

    demo = _verb(verbs, _demo, "the whole way on embedded data: train, evaluate, export, prove, serve, ask")
    demo.add_argument("task", nargs="?", default="classification")

    words = [each for each in arguments if not each.startswith("-")]
    if words and words[0] not in verbs.choices:
        raise InputError(f"no verb '{words[0]}': {nearest(words[0], verbs.choices)}")
    parsed, rest = parser.parse_known_args(arguments)  # it takes no overrides behind an option: they are in `rest`
    if any(each.startswith("-") for each in rest) or (rest and not hasattr(parsed, "overrides")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        parsed.overrides += rest
    return parsed


def _verb(verbs: argparse._SubParsersAction, work, summary: str, recipe: bool = False) -> argparse.ArgumentParser:
    parser = verbs.add_parser(work.__name__.lstrip("_"), help=summary, description=summary)
    parser.set_defaults(verb=work)
    if recipe:
        parser.add_argument("recipe", help=RECIPE_HELP)
        parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help=OVERRIDE_HELP)
    return parser


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
    from .pipelines.evaluating.figure_tables import breakdown_text, figures_text

    found = evaluated(parsed.run, parsed.split, parsed.overrides, by=parsed.by)
    print(figures_text(found.values))
    if parsed.by is not None:
        print("\n" + breakdown_text(parsed.by, found.parts))
    if found.folder is not None:
        print(found.folder)


def _report(parsed: argparse.Namespace) -> None:
    from . import api

    print(api.report(parsed.run))


def _compare(parsed: argparse.Namespace) -> None:
    from . import api

    print(api.compare(parsed.first, parsed.second, parsed.split))


def _predict(parsed: argparse.Namespace) -> int:
    from . import api  # noqa: F401 (it refuses another backend of Keras)
    from .pipelines.predicting.start import start

    task, found = start(
        parsed.run, parsed.pictures, parsed.batch, parsed.draw, parsed.save, parsed.tile, parsed.overlap
    )

    from .pipelines.predicting.answer_files import write_csv, write_jsonl

    return 2 if (write_csv if parsed.csv else write_jsonl)(found, task, sys.stdout) else 0


def _export(parsed: argparse.Namespace) -> None:
    from . import api

    print(api.export(parsed.run, parsed.folder, parsed.name, parsed.version))


def _ensemble(parsed: argparse.Namespace) -> None:
    from . import api

    print(
        api.ensemble(
            *parsed.runs,
            out=parsed.out,
            average=parsed.average,
            flip=parsed.flip,
            crops=parsed.crops,
            crop_share=parsed.crop_share,
        )
    )


def _serve(parsed: argparse.Namespace) -> int:
    from . import api

    limits = (parsed.max_megabytes, parsed.max_images, parsed.max_megapixels)
    return 128 + api.serve(parsed.bundle, parsed.host, parsed.port, *limits).run()


def _show(parsed: argparse.Namespace) -> None:
    from . import api

    print(api.show(parsed.recipe, *parsed.overrides, picture=parsed.out or api.SHEET, count=parsed.count))


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


def _new(parsed: argparse.Namespace) -> None:
    from . import api

    print(api.new(parsed.task, parsed.out))


def _demo(parsed: argparse.Namespace) -> None:
    from .demo import demo

    demo(parsed.task)
