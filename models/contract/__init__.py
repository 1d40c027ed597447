"""The contract on which every task stands: truth, input, evaluation, task. Free of TensorFlow at import."""

from .evaluation import Case, Evaluation, Value, never_right
from .input import PREPARED, SERVING, Input, Inspected
from .task import ModelOptions, NoOptions, Task, Tile, array_difference, with_lengths, without_padding
from .truth import IGNORE, Raw, Truth, classes_in, digest_of, plain, text, with_role

__all__ = [
    "IGNORE",
    "PREPARED",
    "SERVING",
    "Case",
    "Evaluation",
    "Input",
    "Inspected",
    "ModelOptions",
    "NoOptions",
    "Raw",
    "Task",
    "Tile",
    "Truth",
    "Value",
    "array_difference",
    "classes_in",
    "digest_of",
    "never_right",
    "plain",
    "text",
    "with_lengths",
    "with_role",
    "without_padding",
]
