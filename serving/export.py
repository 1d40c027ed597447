"""From a finished run to a proven, versioned bundle that TF Serving and saccade's own server load."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from ..models.errors import InputError
from ..models.files import DESCRIPTION, read_json, refuse_folder
from ..models.stopping import stoppable
from .description import EXTRA, SERVING, Description
from .samples import FOLDER, LIST, ProofSample, read_samples
from .versions import all_at_once, new_version

log = logging.getLogger("saccade")

LABELS = "labels.txt"


@stoppable()
def export(run: Path | str, target: Path | str, name: str, version: int | None = None) -> Path:
    """Makes the bundle `target/name/version/` of a run's Predictor, proven in a clean process.

    It holds the SavedModel and in `assets.extra/` its description (`saccade.json`), `labels.txt` with one class name
    a line, the proof samples with the expected results, and TF Serving's warm-up requests. It appears complete or
    not at all.

    Args:
        run: the folder that `train` left, with its `proof/`.
        target: where bundles are kept; made if missing.
        name: the model's name, under which a server offers it.
        version: a whole number from 1; None is the next free one.

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
        raise InputError(f"{run}: no such run; name the folder that 'train' left")
    refuse_folder(folder)
    samples = read_samples(run / FOLDER)

    import keras  # from here on it takes seconds; what can be wrong before was told before
    import tensorflow as tf

    from ..models.predictor import Predictor
    from .proof import prove_export
    from .saved_model import save
    from .warmup import FILE, write_warmup

    predictor = Predictor.load(run)
    task = predictor.task
    with all_at_once(folder) as partial:
        signatures = save(predictor, partial)
        description = Description(
            name=name,
            version=int(folder.name),
            task=read_json(run / DESCRIPTION)["task"],
            class_names=task.class_names,
            fingerprint=predictor.fingerprint,
            input=task.input_options.model_dump(mode="json"),
            settings=predictor.settings,
            signatures=signatures,
            made_with={"saccade": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
            created=datetime.now(UTC).replace(microsecond=0),
        )
        extra = partial / EXTRA
        _copy_samples(samples, extra / FOLDER)
        (extra / LABELS).write_text("".join(f"{each}\n" for each in task.class_names), encoding="utf-8")
        write_warmup(extra / FILE, name, SERVING, [{"bytes": [samples[0].bytes]}])
        proof = prove_export(predictor, samples, partial)
        description.model_copy(update={"proof": proof}).write(partial)
    log.info("%s: %s", folder, proof)
    return folder


def _copy_samples(samples: list[ProofSample], folder: Path) -> None:
    folder.mkdir(parents=True)
    lines = [json.dumps({"file": each.file, "key": each.key, "truth": each.truth}) for each in samples]
    (folder / LIST).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    for each in samples:
        (folder / each.file).write_bytes(each.bytes)
