"""From the `augment` list of a recipe to a function of a sample and a seed."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import AugmentError
from .sample import Moves
from .steps import Step, read_steps, with_arguments

if TYPE_CHECKING:
    from .albumentations_backend import Chain
    from .mixer import Mixer


class Augmenter:
    """Changes a sample at random, in a way that depends on nothing but the sample and the seed.

    Thread-safe: a copy of the transforms works on one sample at a time (a shared one mixes up the parameters of the
    samples that it works on). Pickles as its list of steps. Masks are resampled by the nearest neighbour, and pixels
    that come in over the border are 255 (ignore), unless the step sets `fill_mask`.

    `MixUp` and `CutMix` in the list work on whole batches: they are not part of a call, but the `mixer`.

    Attributes:
        transforms: whether a call changes samples, one by one.
        mixer: what mixes batches (see `Mixer`); None where nothing does.
        needs: what ("mask", "boxes") some step cannot do without; a job can check it against its task before it starts.
        companions: how many other samples each call takes along, as Mosaic does.
    """

    def __init__(self, steps: Sequence[str | Mapping[str, Any]], moves: Mapping[str, str] = {}) -> None:
        """Builds and tries every transform.

        Args:
            steps: names of albumentations transforms, `"RandomRotate90"`, or `{name: {argument: value}}`, applied
                in this order. `OneOf`, `SomeOf`, `RandomOrder`, `OneOrOther` and `Sequential` take such a list as
                `transforms`. `MixUp` and `CutMix` (`alpha`, `p`) stand anywhere in the list itself, and so does
                `BboxParams`, which says what must be left of a box (see `BoxParams`).
            moves: which values of a sample move with its image: name to "mask" (integers `[height, width]`), "boxes"
                (float32 `[n, 4]`: x_min, y_min, x_max, y_max in pixels) or "box_field" (`[n, ...]`, one for each box).

        Raises:
            AugmentError: unknown transform or argument (with the nearest valid ones), wrong value, a transform that
                needs what a recipe cannot give, or one whose result is no uint8 `[height, width, 3]` image.
        """
        self._steps = copy.deepcopy(steps)
        self._prototype, self.mixer = _build(read_steps(self._steps))
        self.transforms = self._prototype is not None
        self.needs: frozenset[str] = frozenset(self._prototype.needs if self._prototype else ())
        self.companions: int = self._prototype.companions if self._prototype else 0
        self._moves = Moves(moves)
        self._idle: deque[Any] = deque()

    def __bool__(self) -> bool:
        """Whether there is anything to do, for samples or for batches."""
        return self.transforms or self.mixer is not None

    def __reduce__(self) -> tuple[type[Augmenter], tuple[Any, Any]]:
        return type(self), (self._steps, self._moves.kinds)

    def __call__(
        self, sample: Mapping[str, np.ndarray], seed: int, companions: Sequence[Mapping[str, np.ndarray]] = ()
    ) -> dict[str, np.ndarray]:
        """Augments one sample.

        Args:
            sample: "image" uint8 `[height, width, 3]`, and what moves with it. Other values pass through untouched. No
                array is modified.
            seed: 0 or more, see `stable_seed`.
            companions: other samples of this kind, as many as `companions` says.

        Returns:
            A new dict with the same keys. The image is contiguous and may have another size; masks and boxes belong to
            it. Boxes are cut at the border; one of which a step leaves less than a tenth of its area, or a side under
            half a pixel, is dropped with its fields, unless `BboxParams` says otherwise.

        Raises:
            AugmentError: a sample that does not keep the above or lacks what a step needs, a negative seed, or a
                transform that fails on this image, for instance a crop larger than it.
        """
        part, others = self._moves.take(sample), [self._moves.take(each) for each in companions]
        if seed < 0:
            raise AugmentError(f"the seed must be 0 or more, got {seed}")
        if self._prototype is None:
            return dict(sample)
        chain = self._take()
        try:
            moved = chain(part, int(seed), others)
        finally:
            self._idle.append(chain)
        return self._moves.put(sample, moved)

    def _take(self) -> Any:
        """An idle copy, or a new one. Copies are not kept by thread: one of TensorFlow's is new to Python at every
        call, and would find none."""
        try:
            return self._idle.pop()
        except IndexError:
            return copy.deepcopy(self._prototype)


def _build(steps: Sequence[Step]) -> tuple[Chain | None, Mixer | None]:
    """What is done to samples and to batches; albumentations takes half a second to load, so only who needs it pays."""
    if not steps:
        return None, None
    from .box_params import BOX_PARAMS, build_box_params
    from .mixes import MIXES

    mixes = [with_arguments(MIXES[step.name], step) for step in steps if step.name in MIXES]
    of_boxes = [step for step in steps if step.name == BOX_PARAMS]
    kept = build_box_params(of_boxes)
    transforms = [step for step in steps if step.name not in {*MIXES, BOX_PARAMS}]
    chain = mixer = None
    if transforms:
        from .albumentations_backend import Chain

        chain = Chain(transforms, kept, of_boxes)
    if mixes:
        from .mixer import Mixer

        mixer = Mixer(mixes)
    return chain, mixer
