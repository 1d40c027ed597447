"""The contact sheet: training samples as the network will see them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..augment import Augmenter
from ..models.task import Task
from .feeding.batches import batches_of_samples
from .feeding.order import Order
from .feeding.reading import reader
from .source import Source

TILE = 192
"""Width that small pictures are enlarged to, in pixels."""


def training_sheet(
    task: Task, source: Source, positions: Sequence[int], augmenter: Augmenter, seed: int, count: int = 16
) -> Image.Image:
    """Samples of the first epoch after augmentation and fitting, drawn with their truth.

    Args:
        task: draws them.
        source: where they come from.
        positions: the training split.
        augmenter: the recipe's augmentation.
        seed: the recipe's seed.
        count: how many, at most.
    """
    chosen = Order(np.asarray(positions), seed).epoch()[:count]
    read = reader(task, source, chosen, memory=0)
    batches = batches_of_samples(task, Order(chosen, seed), read, augmenter, batch=1, seed=seed)
    return tile([_draw(task, batch) for batch in batches.as_numpy_iterator()])


def _draw(task: Task, batch: dict[str, np.ndarray]) -> np.ndarray:
    sample = {name: value[0] for name, value in batch.items()}
    image = np.clip(np.round(sample["image"]), 0, 255).astype(np.uint8)
    return task.draw(image, None, {name: sample[name] for name in task.truth})


def tile(pictures: Sequence[np.ndarray]) -> Image.Image:
    """Pictures of any size in a near-square grid of equal cells."""
    columns = math.ceil(math.sqrt(len(pictures)))
    images = [_at_least(Image.fromarray(picture)) for picture in pictures]
    width, height = (max(image.size[axis] for image in images) + 6 for axis in (0, 1))
    sheet = Image.new("RGB", (columns * width, math.ceil(len(images) / columns) * height), "white")
    for number, image in enumerate(images):
        sheet.paste(image, (number % columns * width + 3, number // columns * height + 3))
    return sheet


def _at_least(image: Image.Image) -> Image.Image:
    factor = max(1, TILE // image.width)
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
