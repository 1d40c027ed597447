"""Where a run comes from: versions, machine, command, data."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("saccade", "tensorflow", "keras", "albumentations", "numpy")


def provenance(seed: int, data_fingerprint: str, samples: dict[str, int], class_names: Sequence[str]) -> dict[str, Any]:
    """What it takes to know, later, how a run was made.

    Args:
        seed: the recipe's.
        data_fingerprint: the content hash of the data.
        samples: split name to number of samples.
        class_names: in the order of their ids.
    """
    return {
        "command": _command(sys.argv),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in PACKAGES},
        "seed": seed,
        "data": {"fingerprint": data_fingerprint, "samples": samples, "class_names": list(class_names)},
    }


def _command(arguments: Sequence[str]) -> str:
    """What was typed, ready to be typed again; `python -m saccade` is `saccade`."""
    program, *rest = arguments
    is_ours = Path(program).name in ("saccade", "__main__.py")
    return shlex.join(["saccade" if is_ours else program, *rest])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "not installed"
