"""An augmenter of samples with the usual truth: a mask, and boxes with their classes."""

from functools import partial

import saccade.augment

MOVES = {"mask": "mask", "boxes": "boxes", "classes": "box_field"}
Augmenter = partial(saccade.augment.Augmenter, moves=MOVES)
