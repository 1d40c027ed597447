"""Logistic regression on the colours of single pixels: what a segmentation network has to be better than."""

import io

import keras
import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression

from saccade.models.inputs.image.options import IGNORE
from saccade.models.predictor import Predictor
from saccade.pipelines.data.splits import split
from saccade.pipelines.evaluating.validation import evaluate_positions, settle
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.run import recipe_file

PIXELS = 500
"""Drawn from each training image."""


def pixel_regression(run):
    """Its metrics on a run's test split: fitted on the training split, with the threshold that suits validation best.

    It is a 1 x 1 convolution, so the run's own Predictor and evaluation take it like any network.
    """
    recipe = load_recipe(recipe_file(run))
    source, task = recipe.open()
    splits = split(source, recipe.data)
    fitted = _fitted(source, splits["train"])
    weights, bias = fitted.coef_.T, fitted.intercept_
    if len(fitted.classes_) == 2:  # one score, of the second class
        weights, bias = np.hstack([0 * weights, weights]), np.hstack([0 * bias, bias])
    image = keras.Input((None, None, 3))
    layer = keras.layers.Conv2D(len(task.class_names), 1)
    network = keras.Model(image, layer(image))
    layer.set_weights([weights[np.newaxis, np.newaxis] / 255, bias])
    predictor, _, _ = settle(Predictor(task, network, task.settings), source, splits["validation"])
    evaluation, _ = evaluate_positions(predictor, source, splits["test"])
    return evaluation.values()


def _fitted(source, positions):
    random = np.random.default_rng(0)
    colours, classes = [], []
    for position in positions:
        image = np.asarray(Image.open(io.BytesIO(source.read(position)["bytes"])).convert("RGB"))
        mask = source.truth(position)["mask"]
        drawn = random.integers(mask.size, size=PIXELS)
        colours.append(image.reshape(-1, 3)[drawn] / 255)
        classes.append(mask.ravel()[drawn])
    colours, classes = np.concatenate(colours), np.concatenate(classes)
    known = classes != IGNORE
    return LogisticRegression(max_iter=1000).fit(colours[known], classes[known])
