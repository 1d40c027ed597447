"""Several networks, or several views by one, as a single Keras model; and the mean of several networks' weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .contract import Task
from .views import View, Views


class Ensemble(keras.Model):
    """Answers with the average, by `Task.average`, of what each member says of each view.

    It is there to answer, not to be trained. Members share nothing; its weights are all of theirs.

    Args:
        task: the task of the whole, whose `input` the views are cut from.
        members: the task of each member, with the member's own model options and the networks' own input options.
        models: the model of each member.
        views: what each member is shown.

    Raises:
        InputError: the task cannot average its outputs, or cannot take such views back.
    """

    def __init__(self, task: Task, members: Sequence[Task], models: Sequence[keras.Model], views: Views):
        super().__init__(name="ensemble")
        self._task, self._members, self._views = task, tuple(members), views
        self.models = list(models)
        self._shown = views.views(members[0].input_options)
        # One graph a member, called once a view: ten views do not make the exported graph ten times as large.
        self._answers = tuple(
            tf.function(partial(member.infer, model, settings=task.settings), autograph=False)
            for member, model in zip(members, models, strict=True)
        )
        # A first trace, past Keras' own `__call__`: it would make several lines of the one that an InputError has.
        trace = tf.function(lambda raw: self.call(task.input(**raw)[0]), autograph=False)
        trace.get_concrete_function(dict(task.input.prepared))
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """From the input of the whole to what `Task.infer` gives of one member; they answer as in inference, always."""
        return self._task.average(
            [self._seen(answer, inputs, view) for answer in self._answers for view in self._shown]
        )

    def _seen(self, answer: Any, inputs: Any, view: View) -> Any:
        if view == View():
            return answer(inputs)
        return self._task.invert_view(answer(view(inputs)), view)

    def describe(self) -> dict[str, Any]:
        """What `restore` needs beside the weights, as plain values; part of the fingerprint."""
        return {
            "members": [each.model_options.model_dump(mode="json", exclude={"weights"}) for each in self._members],
            "input": self._members[0].input_options.model_dump(mode="json"),
            "views": self._views.model_dump(mode="json"),
        }


def restore(task: Task, description: Mapping[str, Any]) -> Ensemble:
    """An ensemble anew, without its weights.

    Args:
        task: the task of the whole.
        description: what `Ensemble.describe` gave.
    """
    kind = type(task)
    options = kind.Input.Options(**description["input"])
    shared = task.result_options, task.evaluation_options, task.learned
    members = [kind(task.class_names, kind.ModelOptions(**each), options, *shared) for each in description["members"]]
    return Ensemble(task, members, [each.model() for each in members], Views(**description["views"]))


def mean_of_weights(models: Sequence[keras.Model]) -> keras.Model:
    """The first model, with the mean of all models' weights (Wortsman et al. 2022, "Model soups", the uniform soup).

    Floating weights are averaged in float64, the moving statistics of batch norm among them; whole numbers (counters,
    seeds) stay those of the first.

    Args:
        models: of one architecture.
    """
    first = models[0]
    for same in zip(*(model.weights for model in models), strict=True):
        if keras.backend.is_float_dtype(same[0].dtype):
            same[0].assign(np.mean([np.asarray(each, np.float64) for each in same], axis=0))
    return first
