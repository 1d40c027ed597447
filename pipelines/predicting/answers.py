"""Many pictures through the Predictor; a bad one is set aside by name, and its batch goes on without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import tensorflow as tf

from ...models.image_errors import reason
from ...models.predictor import Predictor


@dataclass(frozen=True)
class Answer:
    """What came of one item: results, or the reason why there are none.

    Attributes:
        files: where those results are that are kept as files; None where none were asked for.
    """

    item: Any
    results: dict[str, np.ndarray] | None = None
    reason: str = ""
    files: tuple[str, ...] | None = None


def answers(
    predictor: Predictor,
    items: Iterable[Any],
    read: Callable[[Any], bytes],
    batch: int = 32,
    results: Sequence[str] | None = None,
) -> Iterator[Answer]:
    """Results for each item, in order.

    Args:
        predictor: the Predictor.
        items: whatever `read` understands: positions of a source, paths.
        read: encoded bytes of one item; the next batch is read while one is computed.
        batch: pictures in one call of the graph.
        results: names of those that are wanted; the default signature's unless given.
    """
    waiting: list[tuple[Any, Future]] = []
    items = iter(items)
    with ThreadPoolExecutor(max_workers=4) as pool:
        while True:
            coming = [(item, pool.submit(read, item)) for item in islice(items, batch)]
            yield from _answer(predictor, waiting, results)
            if not coming:
                return
            waiting = coming


def _answer(predictor: Predictor, batch: list[tuple[Any, Future]], names: Sequence[str] | None) -> Iterator[Answer]:
    pictures: list[bytes | None] = []
    failures: dict[int, str] = {}
    for place, (_, future) in enumerate(batch):
        try:
            pictures.append(future.result())
        except OSError as error:
            pictures.append(None)
            failures[place] = error.strerror or str(error)
    good = [place for place in range(len(batch)) if place not in failures]
    results = _predict(predictor, good, pictures, failures, names)
    for place, (item, _) in enumerate(batch):
        yield Answer(item, reason=failures[place]) if place in failures else Answer(item, results[place])


def _predict(
    predictor: Predictor,
    places: list[int],
    pictures: list[bytes | None],
    failures: dict[int, str],
    names: Sequence[str] | None,
) -> dict[int, dict[str, np.ndarray]]:
    """Results by place. A graph cannot catch one bad picture in a batch, so such a batch is run one by one."""
    if not places:
        return {}
    try:
        results = predictor(names, bytes=tf.constant([pictures[place] for place in places], tf.string))
    except tf.errors.InvalidArgumentError as error:
        if len(places) == 1:
            failures[places[0]] = reason(error)
            return {}
        alone = (_predict(predictor, [place], pictures, failures, names) for place in places)
        return {place: each for found in alone for place, each in found.items()}
    rows = predictor.task.one_by_one({name: value.numpy() for name, value in results.items()})
    return dict(zip(places, rows, strict=True))
