"""What fails in the input pipeline, told by its sample: TensorFlow itself does not say which one it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import tensorflow as tf

from ...models.contract import Task
from ...models.errors import InputError
from ...models.inputs.reasons import is_of_image, reason
from ..data.check import bad_among
from ..data.source import Source
from .augmenting import augmentation_failure


@contextmanager
def samples_named(task: Task, source: Source, positions: Sequence[int]) -> Iterator[None]:
    """Names sample and transform, or the image, behind a failure of a pipeline of some positions.

    Raises:
        InputError: a transform of the recipe does not work on a sample, or an image cannot be decoded any more.
        tf.errors.OpError: anything else, as it is.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if failure := augmentation_failure(error.message):
            raise InputError(_with_place(failure, source)) from error
        if is_of_image(error):
            bad = bad_among(task, source, positions)
            if bad:
                raise InputError("; ".join(f"{source.where(each)}: {bad[each]}" for each in sorted(bad)[:3])) from error
            raise InputError(f"an image: {reason(error)}") from error
        raise


def _with_place(failure: str, source: Source) -> str:
    """`key: what` with the place of the sample instead of its key, and the section of the recipe."""
    keys = [key for key in source.keys if failure.startswith(f"{key}: ")]
    if not keys:
        return f"augment: {failure}"
    key = max(keys, key=len)
    position = list(source.keys).index(key)
    return f"{source.where(position)}: augment: {failure.removeprefix(key + ': ')}"
