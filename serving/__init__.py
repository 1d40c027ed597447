"""Bundles: export, proof, server and client."""

if "." not in __name__:
    raise ImportError(
        "this folder is imported as saccade.serving: write 'import saccade.serving' "
        "(a second copy of its classes would be registered with Keras)"
    )
