"""Segmentation as a task: in the images' own size, and in one size for all."""

from base_task import BaseTaskTest


class TestNativeSize(BaseTaskTest):
    recipe = "digit_scenes"
    overrides = ("data.count=40", "model={name: unet, width: 4, depth: 2, class_weights: balanced}")
    changed_input = {"stride": 8}
    changed_results = {"instance_pixels": 30}


class TestOneSize(BaseTaskTest):
    recipe = "digit_scenes"
    overrides = (
        "data.count=40",
        "model={name: unet, width: 4, depth: 1, loss: {boundary: 1.0, dice: 1.0}}",
        "results.instances=components",
        "input={fit: letterbox, size: 32}",
    )
    changed_input = {"fit": "stretch"}
    changed_results = {"instance_pixels": 30}
