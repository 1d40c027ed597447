"""Inputs, Keras models, their losses, decoding, evaluation, and the Predictor."""

if "." not in __name__:
    raise ImportError(
        "this folder is imported as saccade.models: write 'import saccade.models' (a second copy of its classes would be registered with Keras)"
    )
