"""Proof samples: the few pictures with their truth that a run keeps, and by which its export proves itself."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..models.errors import InputError

FOLDER = "proof"
LIST = "samples.jsonl"


@dataclass(frozen=True)
class ProofSample:
    """One picture of a run's `proof/` folder.

    Attributes:
        file: its name in the folder.
        key: the sample's stable id.
        bytes: the encoded picture.
        truth: truth name to JSON value.
    """

    file: str
    key: str
    bytes: bytes
    truth: dict[str, Any]


def read_samples(folder: Path) -> list[ProofSample]:
    """Reads `samples.jsonl` (one `{"file", "key", "truth"}` a line) and the pictures that it names.

    Raises:
        InputError: the list or a picture is missing, or a line cannot be read.
    """
    listing = folder / LIST
    if not listing.is_file():
        raise InputError(f"{folder}: no proof samples (it has no {LIST}); 'train' leaves them in a finished run")
    lines = listing.read_text(encoding="utf-8").splitlines()
    samples = [_read(folder, f"{listing}, line {number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    if not samples:
        raise InputError(f"{listing}: lists no sample, and an export proves itself on at least one")
    return samples


def _read(folder: Path, where: str, line: str) -> ProofSample:
    try:
        entry = json.loads(line)
        file, key, truth = str(entry["file"]), str(entry["key"]), dict(entry["truth"])
    except (ValueError, KeyError, TypeError):
        expected = '{"file": ..., "key": ..., "truth": {...}}'
        raise InputError(f"{where}: not a proof sample; expected {expected}") from None
    if Path(file).name != file:
        raise InputError(f"{where}: '{file}' is not a file name in this folder")
    try:
        return ProofSample(file, key, (folder / file).read_bytes(), truth)
    except OSError as error:
        raise InputError(f"{where}: cannot read '{file}' ({error.strerror})") from None
