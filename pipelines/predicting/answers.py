"""Many samples through the Predictor; a bad one is set aside by name, and its batch is answered without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from ...models.contract import Raw
from ...models.errors import RecipeError
from ...models.predictor import Predictor


@dataclass(frozen=True)
class Answer:
    """What came of one item: results, or the reason why there are none.

    Attributes:
        raw: gives the raw values that the results are of.
        files: where those results are that are kept as files; None where none were asked for.
    """

    item: Any
    results: dict[str, np.ndarray] | None = None
    reason: str = ""
    raw: Callable[[], Raw] = dict
    files: tuple[str, ...] | None = None


def answers(
    predictor: Predictor,
    items: Iterable[Any],
    read: Callable[[Any], Raw],
    batch: int = 32,
    results: Sequence[str] | None = None,
) -> Iterator[Answer]:
    """Results for each item, in order.

    Args:
        predictor: the Predictor.
        items: whatever `read` understands: positions of a source, readers of files.
        read: raw values of one item; the next batch is read while one is computed.
        batch: samples that are read together, and at most in one call of the graph.
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
    raws: dict[int, Raw] = {}
    unread: dict[int, str] = {}
    for place, (_, future) in enumerate(batch):
        try:
            raws[place] = future.result()
        except RecipeError:
            raise
        except (OSError, ValueError) as error:  # a ValueError: of a name that no file can have, or an InputError
            unread[place] = getattr(error, "strerror", None) or str(error)
    found = predictor.answer_raws(list(raws.values()), names)
    for place, (item, _) in enumerate(batch):
        answer = unread[place] if place in unread else next(found)
        if isinstance(answer, str):
            yield Answer(item, reason=answer)
        else:
            yield Answer(item, answer, raw=partial(raws.__getitem__, place))
