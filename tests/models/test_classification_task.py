"""Classification as a task: with one label an image and with several."""

from pathlib import Path

from base_task import BaseTaskTest

from saccade.models.naming import make_importable

make_importable(Path(__file__).parent)
SMALL = ("model.name=lenet", "model.class_weights=balanced", "input={size: 16, fit: stretch}")


class TestSingleLabel(BaseTaskTest):
    recipe = "digits"
    overrides = SMALL
    changed_input = {"size": 24}
    changed_results = {"calibrate": False}


class TestSeveralLabels(BaseTaskTest):
    recipe = """
task: classification
data: {source: "base_task:Patches"}
model: {multi_label: true}
"""
    overrides = SMALL
    changed_input = {"fit": "crop"}
    changed_results = {"thresholds": 0.3}


class TestImagesOfAnySize(BaseTaskTest):
    """The input pads: what is beside an image must not be seen."""

    recipe = "digits"
    overrides = ("model.name=own_segmentation:backbone", "input={fit: pad, size: null, stride: 4}")
    changed_input = {"fill": 7}
    changed_results = {"calibrate": False}
