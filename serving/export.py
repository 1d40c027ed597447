"""From a finished run to a proven, versioned bundle that TF Serving and saccade's own server load."""

import logging
import shutil
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from ..models.contract import SERVING
from ..models.errors import InputError
from ..models.files import DESCRIPTION, read_json, refuse_folder
from ..models.stopping import stoppable
from .description import EXTRA, Description, Preparation
from .samples import FOLDER, read_samples, write_samples
from .versions import all_at_once, new_version

log = logging.getLogger("saccade")

LABELS = "labels.txt"


@stoppable()
def export(
    run: Path | str, target: Path | str, name: str, version: int | None = None, keep_samples: bool | None = None
) -> Path:
    """Makes the bundle `target/name/version/` of a run's Predictor, proven in a clean process.

    It holds the SavedModel and in `assets.extra/` its description (`saccade.json`), `labels.txt` with one class name
    a line, the proof samples with the expected results, and TF Serving's warm-up requests. It appears complete or
    not at all.

    Args:
        run: the folder that `train` left, with its `proof/`.
        target: where bundles are kept; made if missing.
        name: the model's name, under which a server offers it.
        version: a whole number from 1; None is the next free one.
        keep_samples: whether the bundle carries the proof samples and a warm-up request made of one; None leaves it to
            the task. Without them the proof runs all the same, and what it ran on stays in the run.

    Returns:
        The version folder.

    Raises:
        InputError: not a run, one without weights or proof samples, a bad name, an existing version, a target that
            cannot be written to, or a full disk.
        JobError: the proof failed.
    """
    run = Path(run)
    folder = new_version(Path(target), name, version)
    if not run.is_dir():
        raise InputError("no such run; name the folder that 'train' left", where=str(run))
    refuse_folder(folder)
    samples = read_samples(run / FOLDER)

    import keras  # from here on it takes seconds; what can be wrong before was told before
    import tensorflow as tf

    from ..models.predictor import Predictor, stacked
    from .proof import prove_export
    from .saved_model import FILE, save, write_warmup

    predictor = Predictor.load(run)
    task, said = predictor.task, read_json(run / DESCRIPTION)
    paths = tuple(str((run / each).resolve()) for each in said["import_paths"])
    prepare = Preparation(task=said["task"], import_paths=paths, learned=task.learned) if task.input.prepares else None
    with all_at_once(folder) as partial:
        signatures = save(predictor, partial)
        description = Description(
            name=name,
            version=int(folder.name),
            task=said["task"],
            class_names=task.class_names,
            fingerprint=predictor.fingerprint,
            input=task.input_options.model_dump(mode="json"),
            settings=predictor.settings,
            output_roles=dict(task.output_roles),
            lengths=dict(task.lengths),
            padding=dict(task.result_padding),
            signatures=signatures,
            made_with={"saccade": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
            created=datetime.now(UTC).replace(microsecond=0),
            prepare=prepare,
        )
        extra = partial / EXTRA
        write_samples(samples, extra / FOLDER)
        (extra / LABELS).write_text("".join(f"{each}\n" for each in task.class_names), encoding="utf-8")
        proof = prove_export(predictor, samples, partial)
        if keep_samples if keep_samples is not None else task.keep_samples:
            write_warmup(extra / FILE, name, SERVING, [stacked([samples[0].raw], task.input.signatures)])
        else:
            shutil.rmtree(extra / FOLDER)
        description.model_copy(update={"proof": proof}).write(partial)
    log.info("%s: %s", folder, proof)
    return folder
