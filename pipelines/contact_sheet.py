"""The contact sheet: training samples as the network will see them."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import ExifTags, Image

from ..augment import Augmenter
from ..augment.mixer import Mixer
from ..models.contract import Task
from ..models.errors import InputError
from ..models.files import SHEETS, saving, whole_file
from ..models.metrics.plots import PLAIN, Caption, add_strip
from .data.check import bad_among
from .data.data import log_bad
from .data.source import Source, Truths, request
from .data.splits import split_unchecked
from .feeding.augmenting import samples_named
from .feeding.batches import batches_of_samples, make_augmenter, mixing
from .feeding.order import Order
from .feeding.reading import reader
from .recipe.recipe import Recipe
from .recipe.train_options import TrainOptions

TILE = 192
"""Width that small images are enlarged to, in pixels."""


def training_sheet(
    task: Task, source: Source, positions: Sequence[int], augmenter: Augmenter, train: TrainOptions, count: int = 16
) -> Image.Image:
    """The first batches of the first epoch, after augmentation, fitting and mixing, drawn with their truth.

    Under a mixed sample stand both truths with their shares.

    Args:
        task: draws them.
        source: where they come from.
        positions: the training split.
        augmenter: the recipe's augmentation.
        train: the recipe's seed and batch size.
        count: how many samples, at most.

    Raises:
        InputError: a transform that does not work on a sample, or an image that cannot be decoded; which one, and why.
    """
    with samples_named(task, source, positions):
        return _sheet(task, source, positions, augmenter, train, count)


def _sheet(
    task: Task, source: Source, positions: Sequence[int], augmenter: Augmenter, train: TrainOptions, count: int
) -> Image.Image:
    order = _order(task, source, positions, augmenter, train)
    read = reader(task, source, positions, memory=0)
    batch = train.batch if augmenter.mixer else 1  # only a whole batch can be mixed, and one alone needs no padding
    batches = batches_of_samples(task, order, read, augmenter, batch, train.seed)
    position_of = {source.keys[position].encode(): int(position) for position in positions}
    drawn: list[np.ndarray] = []
    for samples in batches.take(math.ceil(count / batch)):
        drawn += _draw(task, samples, augmenter.mixer, train.seed, source, position_of)
    return tile(drawn[:count])


def usable(
    task: Task, source: Source, positions: Sequence[int], augmenter: Augmenter, train: TrainOptions, count: int
) -> np.ndarray:
    """Positions without the bad ones among those that a sheet would begin with, each of which a log line names.

    Only these are read: a sheet is to be seen at once, however large the data.

    Raises:
        InputError: no sample of the split can be used.
    """
    good, left = set(), np.asarray(positions)
    bad: dict[int, str] = {}
    while len(left):
        first = [int(each) for each in _order(task, source, left, augmenter, train).epoch()[:count] if each not in good]
        found = bad_among(task, source, first)
        if not found:
            log_bad(bad, source, "'saccade train' checks them all and")
            return left
        bad |= found
        good |= {*first} - found.keys()
        left = left[~np.isin(left, [*found])]
    position = min(bad)
    raise InputError(
        f"none of the {len(positions)} samples in train can be used, first {source.where(position)}: {bad[position]}"
    )


def _order(task: Task, source: Source, positions: Sequence[int], augmenter: Augmenter, train: TrainOptions) -> Order:
    sampler = task.batch_sampler(Truths(source, positions), train.batch)
    return Order(np.asarray(positions), train.seed, sampler, augmenter.companions, source.keys)


def write_sheet(recipe: Recipe, source: Source, task: Task, file: Path, count: int) -> None:
    """Draws the sheet of a recipe, without the images that cannot be used, into a file.

    Raises:
        InputError: data or transforms that are not usable, or a file that cannot be written.
    """
    augmenter = make_augmenter(recipe, task)
    positions = split_unchecked(source, task, recipe.data)["train"]
    if not len(positions):
        raise InputError("the train split is empty: there is nothing to show")
    size = recipe.train.batch if augmenter.mixer else 1
    positions = usable(task, source, positions, augmenter, recipe.train, math.ceil(count / size) * size)
    task.adapt(Truths(source, positions))
    sheet = training_sheet(task, source, positions, augmenter, recipe.train, count)
    exif = sheet.getexif()
    exif[ExifTags.Base.Software] = SHEETS
    try:
        with saving(file), whole_file(file) as partial:
            sheet.save(partial, exif=exif)
    except (ValueError, struct.error) as error:  # more pixels than the format holds
        size = f"{sheet.width} x {sheet.height} pixels"
        raise InputError(f"a sheet of {size} is too large for {file.suffix} ({error})", where=str(file)) from None


def _draw(
    task: Task,
    batch: dict[str, tf.Tensor],
    mixer: Mixer | None,
    seed: int,
    source: Source,
    position_of: Mapping[bytes, int],
) -> list[np.ndarray]:
    count = len(batch["key"])
    names = [name for name, each in task.truth.items() if each.trains]
    truths = [{name: batch[name][number].numpy() for name in names} for number in range(count)]
    if "image" not in batch:  # the input knows how a sample is looked at
        shown = [task.input.show(request(task, source, position_of[key])) for key in batch["key"].numpy()]
        return [task.draw(image, None, truth) for image, truth in zip(shown, truths, strict=True)]
    images, shares, partners = batch["image"], np.ones(count), range(count)
    if mixer:
        with tf.device("CPU:0"):  # as in the input pipeline
            mixed = mixing(mixer, batch, seed)
            images = mixed.apply(images)
        shares, partners = mixed.share.numpy(), mixed.partner.numpy()
    pixels = np.clip(np.round(images), 0, 255).astype(np.uint8)
    return [
        task.draw(image, None, truth) if share == 1 else _draw_mixed(task, image, share, truth, truths[partner])
        for image, truth, share, partner in zip(pixels, truths, shares, partners, strict=True)
    ]


def _draw_mixed(task: Task, image: np.ndarray, share: float, own: dict, other: dict) -> np.ndarray:
    parts = ((share, own), (1 - share, other))
    lines = [Caption(f"{100 * part:.0f} % {task.summary(truth)}", "", PLAIN) for part, truth in parts]
    return add_strip(task.draw(image, None), lines)


def tile(drawn: Sequence[np.ndarray]) -> Image.Image:
    """Images of any size in a near-square grid of equal cells."""
    columns = math.ceil(math.sqrt(len(drawn)))
    images = [_at_least(Image.fromarray(each)) for each in drawn]
    width, height = (max(image.size[axis] for image in images) + 6 for axis in (0, 1))
    sheet = Image.new("RGB", (columns * width, math.ceil(len(images) / columns) * height), "white")
    for number, image in enumerate(images):
        sheet.paste(image, (number % columns * width + 3, number // columns * height + 3))
    return sheet


def _at_least(image: Image.Image) -> Image.Image:
    factor = max(1, TILE // image.width)
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
