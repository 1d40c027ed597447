"""The stages of a model with a backbone, for learning rates of their own."""

from collections.abc import Mapping

import keras

Stages = dict[int | str, list[keras.Variable]]


def stages_of(model: keras.Model, levels: Mapping[int, keras.KerasTensor]) -> Stages:
    """The trainable variables by stage, nearest to the input first: up to each level by its stride, then "head".

    Args:
        model: a functional model.
        levels: of its backbone, stride to feature map.

    Returns:
        Each variable in the first stage that needs it.
    """
    found: Stages = {}
    for stride, level in sorted(levels.items()):
        found[stride] = _others(keras.Model(model.inputs[0], level).trainable_variables, found)
    return found | {"head": _others(model.trainable_variables, found)}


def _others(variables: list[keras.Variable], known: Stages) -> list[keras.Variable]:
    seen = {id(variable) for each in known.values() for variable in each}
    return [variable for variable in variables if id(variable) not in seen]
