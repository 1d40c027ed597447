"""Augmentation: (sample, seed) -> sample."""

if "." not in __name__:
    raise ImportError(
        "this folder is imported as saccade.augment: write 'import saccade.augment' "
        "(a second copy of its classes would be registered with Keras)"
    )
