"""Every verb as a Python function."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .models.errors import InputError, at_least_one, temporary_folder
from .models.stopping import stoppable
from .quiet import log_to_stderr

if TYPE_CHECKING:
    from .models.backbones.network import Network
    from .models.contract import Value
    from .models.predictor import Predictor
    from .pipelines.evaluating.compare import Comparison
    from .pipelines.predicting.answers import Answer
    from .serving.server import Server

SHEET = "samples.png"
"""What `show` writes unless told, and what alone it replaces."""

log_to_stderr()  # as the command line; a program that has set up `logging` itself finds the lines there

if os.environ["KERAS_BACKEND"] != "tensorflow":
    raise InputError(f"KERAS_BACKEND is '{os.environ['KERAS_BACKEND']}': saccade needs 'tensorflow', or leave it unset")


def train(recipe: str | Path, *overrides: str) -> Path:
    """Trains; an unfinished run of the same training is resumed.

    Args:
        recipe: a recipe file, a shipped recipe's name, or a task's name.
        overrides: `key.sub=value` each; text as it stands where the key wants text, else YAML.

    Returns:
        The folder of the run.

    Raises:
        InputError: recipe, data or folder are not usable: the message says where and what to do.
        JobError: the training failed.
        KeyboardInterrupt: stopped by Ctrl-C or SIGTERM; everything is saved.
    """
    from .pipelines.recipe.recipe import load_recipe
    from .pipelines.train import train

    return train(load_recipe(recipe, overrides))


@stoppable()
def dry_run(recipe: str | Path, *overrides: str) -> None:
    """One short epoch of everything, export and its proof included; leaves nothing behind.

    Args:
        recipe: as for `train`.
        overrides: as for `train`.
    """
    from .pipelines.recipe.recipe import load_recipe
    from .pipelines.train import dry_run

    resolved = load_recipe(recipe, overrides)
    with temporary_folder("saccade-dry-run-") as folder:
        run = dry_run(resolved, folder)
        export(run, folder / "bundles", "dry-run")


def evaluate(run: str | Path, split: str = "test", *overrides: str, by: str | None = None) -> dict[str, Value]:
    """Evaluates a run through the Predictor, on bytes.

    Args:
        run: the folder that `train` left.
        split: "train", "validation", "test", or "all" samples, as for data that was never trained on.
        overrides: `data.key=value`, to evaluate on other data.
        by: a column of the data, for each of whose values the metrics are written into `metrics.json`, too.

    Returns:
        Name to metric, with 95 % intervals where they can be had; of a run that cannot be written to as well.
    """
    from .pipelines.evaluating.evaluate import evaluate

    return evaluate(run, split, overrides, by=by)


def compare(first: str | Path, second: str | Path, split: str = "test") -> Comparison:
    """The metrics of two runs side by side, and whether the difference may be chance; `print` what it returns.

    Args:
        first: the folder that `train` left.
        second: another one, of the same task and data.
        split: as for `evaluate`, which is run where its files are not up to date.
    """
    from .pipelines.evaluating.compare import compare

    return compare(first, second, split)


def report(run: str | Path) -> Path:
    """Writes one HTML page about a finished run, which needs nothing beside it; splits not evaluated yet are.

    Args:
        run: the folder that `train` left.

    Returns:
        The page: `report.html` in the run.
    """
    from .pipelines.report.report import report

    return report(run)


def load(run: str | Path) -> Predictor:
    """The Predictor of a run: `load(run).predict([path, array, image])`; `load(run).model` is the `keras.Model`.

    One image alone is answered as a list of one.
    """
    from .models.predictor import Predictor

    return Predictor.load(run)


def predict(
    run: str | Path,
    *places: str | Path,
    batch: int = 32,
    draw: str | Path | None = None,
    save: str | Path | None = None,
    tile: int | None = None,
    overlap: int | None = None,
) -> Iterator[Answer]:
    """Answers for image files, in order; one that cannot be read has a reason instead of results.

    Arrays, bytes and PIL images go to `load(run).predict(...)`.

    Args:
        run: the folder that `train` left.
        places: files, folders, zip files, globs, or "-" for a list on standard input.
        batch: images in one call of the graph.
        draw: a folder for images with their results drawn on them; none of an earlier call is overwritten.
        save: likewise a folder for those results that are better kept as files, as masks; `Answer.files` names them.
        tile: for large images: each is seen in overlapping tiles of at most this side in pixels, and memory holds
            the image, its results and one row of tiles. Needs `input.fit: pad`.
        overlap: what neighbouring tiles share at least, in pixels; unless given 64, or a quarter of a small tile.

    Raises:
        InputError: no images, no run, or tiles that do not go with the run; which, and why.
    """
    from .pipelines.predicting.start import start

    return start(run, places, batch, draw, save, tile, overlap)[1]


def show(recipe: str | Path, *overrides: str, image: str | Path = SHEET, count: int = 16) -> Path:
    """Writes a contact sheet of training samples as the network will see them; bad ones are left out and named.

    Args:
        recipe: as for `train`.
        overrides: as for `train`.
        image: the image to write, in place of an earlier sheet; no other file is replaced.
        count: how many samples, at most.

    Raises:
        InputError: a file that cannot be written, which is told before the data is read; data that is not usable, or a
            transform that does not work on a sample.
    """
    from .models.files import SHEETS, refuse_image
    from .pipelines.recipe.recipe import load_recipe

    file = Path(image)
    refuse_image(file, overwrite=SHEETS)
    at_least_one("count", count)
    resolved = load_recipe(recipe, overrides)
    source, task = resolved.open()

    from .models.inputs.own_output import note
    from .pipelines.contact_sheet import write_sheet

    write_sheet(resolved, source, task, file, count)
    note(file, [value for value in resolved.data.model_dump().values() if isinstance(value, str)])
    return file


def export(
    run: str | Path, folder: str | Path | None = None, name: str | None = None, version: int | None = None
) -> Path:
    """Exports a run as a bundle that has proved itself.

    Args:
        run: the folder that `train` left.
        folder: where bundles stand; the recipe's `export.folder` unless given.
        name: the model's name; the recipe's `export.name`, or the run's folder name, unless given.
        version: the next free one unless given.

    Returns:
        The bundle: `folder/name/version`. It carries proof samples unless `export.keep_samples` of the recipe, or the
        task where that is not said, has it otherwise.
    """
    from .pipelines.recipe.recipe import load_recipe
    from .pipelines.run import recipe_file

    options = load_recipe(recipe_file(run)).export

    from .serving.export import export

    name = name or options.name or Path(run).resolve().name
    return export(Path(run), Path(folder or options.folder), name, version, options.keep_samples)


def ensemble(
    *runs: str | Path,
    out: str | Path,
    average: str = "probabilities",
    flip: bool = False,
    crops: int = 1,
    crop_share: float = 0.875,
) -> Path:
    """Makes one Predictor of several runs, or of several views by one, in a folder that is used like a run.

    Args:
        runs: the folders that `train` left. Data, splits and proof samples are the first's.
        out: the new folder.
        average: "probabilities" of all, or the "weights" of runs of one start.
        flip: also shows every image, or crop, mirrored.
        crops: 5 shows the centre and the corners of a larger image; 10 is the same with `flip`.
        crop_share: a crop's side as a share of the larger image's.

    Returns:
        `out`.

    Raises:
        InputError: what does not belong together; nothing is left behind.
    """
    from .models.views import Views
    from .pipelines.evaluating.ensemble import ensemble

    return ensemble(runs, out, average, Views.of(flip, crops, crop_share))


def serve(
    bundle: str | Path,
    host: str = "127.0.0.1",
    port: int = 8501,
    max_megabytes: int = 64,
    max_images: int = 1024,
    max_megapixels: int = 64,
) -> Server:
    """A server for a bundle, as a context manager: `with serve(bundle, port=0) as server: server.url`.

    Args:
        bundle: `bundles/NAME`, or one of its versions.
        host: the address to listen at.
        port: 0 takes a free one.
        max_megabytes: of a request's body, of 2**20 bytes each; more is refused with status 413, as for the others.
        max_images: in a request.
        max_megapixels: of all images of a request, as they are decoded.
    """
    from .models.errors import at_least_one
    from .serving.bundle import Bundle
    from .serving.endpoints import Limits
    from .serving.server import Server

    limits = Limits(
        at_least_one("max_megabytes", max_megabytes) * 2**20,
        at_least_one("max_images", max_images),
        at_least_one("max_megapixels", max_megapixels) * 10**6,
    )
    return Server(Bundle(Path(bundle)), host, port, limits)


def networks(task: str | None = None) -> dict[str, dict[str, Network]]:
    """What is known of the networks for `model.name`, without building one; the verb is `saccade models`.

    Args:
        task: a task's name or your own as `package.module:Name`; all that ship with saccade unless given.

    Returns:
        Name of each task, to the names of its networks, to what is known of each.

    Raises:
        InputError: no such task, with the nearest names.
    """
    from .models import TASKS, find_task
    from .models.listing import networks_of
    from .models.naming import make_importable

    make_importable(Path.cwd())
    return {name: networks_of(find_task(name)) for name in ([task] if task else TASKS)}


def recipes() -> dict[str, Sequence[str]]:
    """Name of each shipped recipe, to the lines of its header."""
    from .pipelines.recipe.shipped import header, shipped_recipes

    return {name: header(path) for name, path in shipped_recipes().items()}


def new(task: str, out: str | Path | None = None) -> Path:
    """Writes a recipe to start from: a task's default recipe, and every other key as a comment that says its meaning.

    Args:
        task: a task's name.
        out: the file, which must not exist; the task's name with `.yaml`, in the working folder, unless given.
    """
    from .pipelines.recipe.shipped import write_recipe

    file = Path(out or f"{task}.yaml")
    write_recipe(task, file)
    return file


def recipe(name: str) -> str:
    """The text of a shipped recipe."""
    from .pipelines.recipe.shipped import shipped_recipe

    return shipped_recipe(name).read_text(encoding="utf-8")
