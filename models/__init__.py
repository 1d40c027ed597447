"""Inputs, Keras models, their losses, decoding, evaluation, and the Predictor."""

if "." not in __name__:
    raise ImportError(
        "this folder is imported as saccade.models: write 'import saccade.models' "
        "(a second copy of its classes would be registered with Keras)"
    )

from .errors import InputError
from .naming import find_class

TASKS = {
    "classification": ".classification.task:Classification",
    "segmentation": ".segmentation.task:Segmentation",
    "detection": ".detection.task:Detection",
}
"""The tasks that saccade ships; a user's own is `package.module:Name`."""


def find_task(name: str) -> type:
    """The class of a task, by its name or as `package.module:Name`.

    Raises:
        InputError: no such task, with the nearest names; or a module or class of the user's own that is none.
    """
    from .contract import Task

    kind = find_class(name, TASKS, __name__, "task", Task)
    for attribute, example in (("Input", "ImageInput"), ("monitor", '"accuracy"')):
        if not hasattr(kind, attribute):
            raise InputError(f"task '{name}': the class lacks '{attribute}', as in {attribute} = {example}")
    return kind
