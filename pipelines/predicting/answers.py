"""Many pictures through the Predictor; a bad one is set aside by name, and its batch goes on without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

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
        batch: pictures that are read together, and at most in one call of the graph.
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
    encoded: list[bytes] = []
    unread: dict[int, str] = {}
    for place, (_, future) in enumerate(batch):
        try:
            encoded.append(future.result())
        except (OSError, ValueError) as error:  # of a name that no file can have: a zero byte in it
            unread[place] = getattr(error, "strerror", None) or str(error)
    found = predictor.predict_encoded(encoded, names)
    for place, (item, _) in enumerate(batch):
        answer = unread[place] if place in unread else next(found)
        yield Answer(item, reason=answer) if isinstance(answer, str) else Answer(item, answer)
