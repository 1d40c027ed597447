"""Sources, recipes, the input pipeline and the jobs that run them."""

if "." not in __name__:
    raise ImportError(
        "this folder is imported as saccade.pipelines: write 'import saccade.pipelines' "
        "(a second copy of its classes would be registered with Keras)"
    )
