"""Shipped recipes reach their metrics on real data; `make quality` trains them, and goes on where it was stopped."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pixel_regression import pixel_regression

from saccade.pipelines.evaluating.evaluate import evaluate
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.recipe.shipped import header, shipped_recipes
from saccade.pipelines.run import recipe_file

LEAST = {
    "digits": ("accuracy", 0.985),  # 370 of 373 are expected; one image is 0.0027
    "hymenoptera": ("accuracy", 144 / 153),  # what scikit-learn's logistic regression gets on the same frozen features
    "cifar10": ("accuracy", 0.75),
    "flowers": ("accuracy", 0.805),
    "digit_scenes": ("mean_iou", 0.80),
    "nuclei": ("dice", 0.885),
    "nuclei_unet": ("dice", 0.88),
    "bccd": ("map_50", 0.88),
    "digit_boxes": ("map_50", 0.9),
}
"""A metric of the test split, and what it reaches at least."""


@pytest.fixture(scope="session")
def quality_runs(root, tree) -> Path:
    """A folder that stays as long as no file of the package changes, so that a second call trains nothing again."""
    digest = hashlib.sha256()
    for path in tree:
        if path.parts[0] in ("augment", "models", "pipelines") and path.suffix in (".py", ".yaml"):
            digest.update((root / path).read_bytes())
    return root / "build" / "quality" / digest.hexdigest()[:12]


@pytest.mark.quality
@pytest.mark.parametrize("name", LEAST)
def test_recipe_reaches_its_figure(name, quality_runs, data_dir, weights_dir, monkeypatch, capsys):
    monkeypatch.setenv("SACCADE_DATA", str(data_dir))
    monkeypatch.setenv("SACCADE_WEIGHTS", str(weights_dir))
    run = quality_runs / name
    state = run / "state.json"
    if not (state.is_file() and json.loads(state.read_text())["finished"]):
        command = [sys.executable, "-m", "saccade", "train", name, f"train.run={run}"]
        subprocess.run(command, env=os.environ, check=True)  # a process of its own: a kill costs one epoch
    metric, least = LEAST[name]
    value = evaluate(run)[metric]
    with capsys.disabled():
        print(f"\n{name}: test {metric} {value}")
    assert value.value >= least
    if load_recipe(recipe_file(run)).task == "segmentation":
        baseline = pixel_regression(run)[metric]
        with capsys.disabled():
            print(f"{name}: logistic regression on single pixels {baseline}")
        assert value.low > baseline.high


@pytest.mark.parametrize("name", LEAST)
def test_header_quotes_a_figure_that_is_high_enough(name):
    lines = " ".join(header(shipped_recipes()[name]))
    metric, least = LEAST[name]
    quoted = re.search(rf"test {metric} (0\.\d+)", lines)
    assert quoted and float(quoted[1]) >= least
    assert re.search(r"\(0\.\d+ to [01]\.\d+\)", lines) and "seed" in lines
    assert re.search(r"\d+ (seconds|minutes)", lines)
