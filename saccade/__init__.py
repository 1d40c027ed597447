"""saccade: one recipe takes images from disk to a served model.

The names below are loaded when they are first used: `import saccade` itself loads neither Keras nor TensorFlow.
"""

import os
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# A model's classes would otherwise depend on a file in the user's home (~/.keras/keras.json).
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

_VERBS = (
    "train",
    "dry_run",
    "evaluate",
    "compare",
    "report",
    "load",
    "predict",
    "show",
    "export",
    "ensemble",
    "serve",
    "networks",
    "recipes",
    "recipe",
    "new",
)
_NAMES = {
    "InputError": ".models.errors",
    "JobError": ".models.errors",
    "Task": ".models.contract",
    **dict.fromkeys(_VERBS, ".api"),
}

__all__ = [*_NAMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'saccade' has no attribute '{name}'")
    return getattr(import_module(_NAMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
