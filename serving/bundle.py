"""A bundle on disk, loaded with TensorFlow alone: what serves, and what a notebook may call without a server."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..models.errors import InputError, at_least_one, nearest
from ..models.image_items import as_items, to_bytes
from .description import EXTRA, FILE, SERVING, Description, Signature
from .samples import FOLDER, ProofSample, read_samples
from .versions import versions


class Bundle:
    """One version of an exported model.

    Attributes:
        folder: the version folder.
        description: what `saccade.json` says: name, version, class names, fingerprint, signatures, proof.
    """

    def __init__(self, path: Path | str, version: int | None = None):
        """Finds the version and reads its description; the model itself is loaded at the first call.

        Args:
            path: `NAME/`, or one version `NAME/VERSION/`.
            version: which one under `NAME/`; None is the newest.

        Raises:
            InputError: not a bundle, no such version, or a broken description.
        """
        self.folder = _find(Path(path), version)
        self.description = Description.read(self.folder)
        self._loading = Lock()

    @property
    def name(self) -> str:
        return self.description.name

    @property
    def version(self) -> int:
        return self.description.version

    @property
    def fingerprint(self) -> str:
        return self.description.fingerprint

    def signature(self, name: str = SERVING) -> Signature:
        """Inputs and outputs of a signature.

        Raises:
            InputError: no such signature, with the nearest.
        """
        known = self.description.signatures
        if name not in known:
            raise InputError(f"{self.name} has no signature '{name}': {nearest(name, known)}")
        return known[name]

    @cached_property
    def samples(self) -> list[ProofSample]:
        """The proof samples that the bundle carries."""
        return read_samples(self.folder / EXTRA / FOLDER)

    def run(self, inputs: Mapping[str, np.ndarray], signature: str = SERVING) -> dict[str, np.ndarray]:
        """Calls a signature; threads may do so at the same time.

        Args:
            inputs: input name to array, batch first; strings are object arrays of bytes.
            signature: its name.

        Returns:
            Output name to array, batch first.

        Raises:
            InputError: the SavedModel cannot be loaded, or has no such signature.
            tf.errors.InvalidArgumentError: a value that the graph refuses.
        """
        import tensorflow as tf

        names = self.signature(signature).outputs
        with self._loading:  # the first callers share one load
            function = self._saved_model.signatures[signature]
        outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: outputs[name].numpy() for name in names}

    def predict(self, pictures: Any, batch: int = 32, signature: str = SERVING) -> list[dict[str, np.ndarray]]:
        """Results for pictures, in their order, from a signature that takes bytes.

        Args:
            pictures: as for `Predictor.predict`: paths, encoded bytes, arrays, PIL images; one alone is a list of one.
            batch: pictures in one call of the graph.
            signature: its name.

        Raises:
            InputError: something that is no picture; else as `run`.
        """
        encoded = [to_bytes(each) for each in as_items(pictures)]
        answers: list[dict[str, np.ndarray]] = []
        for start in range(0, len(encoded), at_least_one("batch", batch)):
            part = np.array(encoded[start : start + batch], object)
            results = self.run({"bytes": part}, signature)
            answers += [{name: value[i] for name, value in results.items()} for i in range(len(part))]
        return answers

    @cached_property
    def _saved_model(self) -> Any:
        import tensorflow as tf

        try:
            return tf.saved_model.load(str(self.folder))
        except (OSError, tf.errors.OpError) as error:
            raise InputError(f"{self.folder}: the SavedModel cannot be loaded ({str(error).splitlines()[0]})") from None


def _find(path: Path, version: int | None) -> Path:
    if (path / EXTRA / FILE).is_file() and version is None:
        return path
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; name a bundle that 'export' made")
    present = versions(path)
    if not present:
        raise InputError(f"{path}: not a bundle: no version folder (1, 2, ...) in it; name what 'export' made")
    if version is not None and version not in present:
        raise InputError(f"{path}: no version {version}; there are {', '.join(map(str, present))}")
    return path / str(present[-1] if version is None else version)
