"""Augmentation: (sample, seed) -> sample.

`Augmenter` turns the `augment` list of a recipe into a function of a sample and a seed, and into a mixer of batches
where the list has MixUp or CutMix; `stable_seed` makes the seed, `AugmentError` is what a wrong list or sample raises.
"""

if "." not in __name__:
    raise ImportError(
        "this folder is imported as saccade.augment: write 'import saccade.augment' "
        "(a second copy of its classes would be registered with Keras)"
    )

from .augmenter import Augmenter
from .errors import AugmentError
from .seeds import stable_seed

__all__ = ["AugmentError", "Augmenter", "stable_seed"]
