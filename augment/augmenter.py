"""From the `augment` list of a recipe to a function of a sample and a seed."""

import copy
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .errors import AugmentError
from .sample import moving_part
from .steps import read_steps


class Augmenter:
    """Changes a sample at random, in a way that depends on nothing but the sample and the seed.

    Thread-safe: a copy of the transforms works on one sample at a time (a shared one mixes up the parameters of the
    samples that it works on). Pickles as its list of steps. A sample's mask is resampled by nearest neighbour
    and pixels that come in over the border are 255 (ignore), unless the step sets `fill_mask`.

    Attributes:
        needs: the keys ("mask", "boxes") that some step cannot do without; a job can check them against its source
            before it starts.
    """

    def __init__(self, steps: Sequence[str | Mapping[str, Any]]) -> None:
        """Builds and tries every transform.

        Args:
            steps: names of albumentations transforms, `"RandomRotate90"`, or `{name: {argument: value}}`, applied
                in this order. `OneOf`, `SomeOf`, `RandomOrder`, `OneOrOther` and `Sequential` take such a list as
                `transforms`.

        Raises:
            AugmentError: unknown transform or argument (with the nearest valid ones), wrong value, a transform that
                needs what a recipe cannot give, or one whose result is no uint8 `[height, width, 3]` picture.
        """
        self._steps = copy.deepcopy(steps)
        read = read_steps(self._steps)
        self._prototype = None
        if read:
            from .albumentations_backend import Chain  # takes half a second: only who augments pays for it

            self._prototype = Chain(read)
        self.needs: frozenset[str] = frozenset(self._prototype.needs if self._prototype else ())
        self._idle: deque[Any] = deque()

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return self._prototype is not None

    def __reduce__(self) -> tuple[type["Augmenter"], tuple[Any]]:
        return type(self), (self._steps,)

    def __call__(self, sample: Mapping[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
        """Augments one sample.

        Args:
            sample: "image" uint8 `[height, width, 3]`; where there is such truth "mask" integer `[height, width]`, and
                "boxes" float32 `[n, 4]` (x_min, y_min, x_max, y_max in pixels) with "classes" int32 `[n]`. Other keys
                pass through untouched. No array is modified.
            seed: 0 or more, see `stable_seed`.

        Returns:
            A new dict with the same keys. The picture is contiguous and may have another size; mask and boxes belong
            to it. Boxes are cut at the border; one with a side under half a pixel is dropped with its class.

        Raises:
            AugmentError: a sample that does not keep the above or lacks what a step needs, a negative seed, or a
                transform that fails on this picture, for instance a crop larger than it.
        """
        part = moving_part(sample)
        if seed < 0:
            raise AugmentError(f"the seed must be 0 or more, got {seed}")
        if self._prototype is None:
            return dict(sample)
        chain = self._take()
        try:
            moved = chain(part, int(seed))
        finally:
            self._idle.append(chain)
        result = {**sample, "image": moved.image}
        if "mask" in sample:
            result["mask"] = moved.mask
        if "boxes" in sample:
            result["boxes"] = moved.boxes
            if "classes" in sample:
                result["classes"] = moved.classes
        return result

    def _take(self) -> Any:
        """An idle copy, or a new one. Copies are not kept by thread: one of TensorFlow's is new to Python at every
        call, and would find none."""
        try:
            return self._idle.pop()
        except IndexError:
            return copy.deepcopy(self._prototype)
