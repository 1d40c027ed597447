"""Tries a transform once before the job begins, so that a wrong recipe does not show after an hour."""

from collections.abc import Callable

import numpy as np

from .errors import AugmentError
from .sample import Moving, is_image, shown

OWNS_PREPROCESSING = "the model owns its preprocessing: augmentation must give uint8 images with 3 channels"
_SIZES = ((48, 64), (768, 1024), (4096, 5120))  # height, width; a larger one is made only where a smaller one failed


def try_out(run: Callable[[Moving], object], where: str, name: str) -> None:
    """Runs a transform on an image with a mask and a box.

    Args:
        run: the transform, whatever its probability; returns the changed image.
        where: the place of the transform in the recipe, for messages.
        name: the transform's name, for messages.

    Raises:
        AugmentError: the result is no uint8 `[height, width, 3]` image, or there is none at any size. A large
            crop fails on small images and is right all the same.
    """
    for size in _SIZES:
        try:
            image = run(_probe(*size))
        except AugmentError as error:
            failure = error
            continue
        if not is_image(image):
            raise AugmentError(f"{where}: {name} gives {shown(image)}: {OWNS_PREPROCESSING}")
        return
    raise AugmentError(f"{where}: {failure}") from failure


def _probe(height: int, width: int) -> Moving:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 2] = 1
    boxes = np.array([[width // 4, height // 4, width // 2, height // 2]], np.float32)
    return Moving(image, {"mask": mask}, boxes, {"classes": np.zeros(1, np.int32)})
