"""Proof samples: the few samples with their truth that a run keeps, and by which its export proves itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..models.errors import InputError

FOLDER = "proof"
LIST = "samples.jsonl"


@dataclass(frozen=True)
class ProofSample:
    """One sample of a run's `proof/` folder.

    Attributes:
        key: the sample's stable id.
        raw: its raw values by name; what stands in files is bytes.
        truth: truth name to JSON value.
        files: raw value's name to that of its file in the folder.
    """

    key: str
    raw: dict[str, Any]
    truth: dict[str, Any]
    files: Mapping[str, str]

    @property
    def name(self) -> str:
        """What a person calls it: its first file, or its key."""
        return next(iter(self.files.values()), self.key)


def read_samples(folder: Path) -> list[ProofSample]:
    """Reads `samples.jsonl` (one `{"key", "raw", "truth"}` a line) and the files that it names.

    Raises:
        InputError: the list or a file is missing, or a line cannot be read.
    """
    listing = folder / LIST
    if not listing.is_file():
        raise InputError(
            f"no proof samples (it has no {LIST}); 'train' leaves them in a finished run", where=str(folder)
        )
    lines = listing.read_text(encoding="utf-8").splitlines()
    samples = [_read(folder, f"{listing}, line {number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    if not samples:
        raise InputError("lists no sample, and an export proves itself on at least one", where=listing)
    return samples


def write_samples(samples: list[ProofSample], folder: Path) -> None:
    """Writes them as `read_samples` reads them, into a new folder."""
    folder.mkdir(parents=True)
    lines = []
    for each in samples:
        values = {name: {"file": each.files[name]} if name in each.files else each.raw[name] for name in each.raw}
        lines.append(json.dumps({"key": each.key, "raw": values, "truth": each.truth}) + "\n")
        for name, file in each.files.items():
            (folder / file).write_bytes(each.raw[name])
    (folder / LIST).write_text("".join(lines), encoding="utf-8")


def _read(folder: Path, where: str, line: str) -> ProofSample:
    try:
        entry = json.loads(line)
        key, raw, truth = str(entry["key"]), dict(entry["raw"]), dict(entry["truth"])
        files = {name: str(value["file"]) for name, value in raw.items() if isinstance(value, dict)}
    except (ValueError, KeyError, TypeError):
        expected = '{"key": ..., "raw": {...}, "truth": {...}}'
        raise InputError(f"not a proof sample; expected {expected}", where=where) from None
    for name, file in files.items():
        if Path(file).name != file:
            raise InputError(f"'{file}' is not a file name in this folder", where=where)
        try:
            raw[name] = (folder / file).read_bytes()
        except OSError as error:
            raise InputError(f"cannot read '{file}' ({error.strerror})", where=where) from None
    return ProofSample(key, raw, truth, files)
