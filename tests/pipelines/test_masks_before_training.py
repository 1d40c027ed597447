"""A training that wrong masks stop before it begins, in one line that names them and what to do."""

import re

import numpy as np
import pytest
from PIL import Image

from saccade.models.errors import InputError
from saccade.pipelines.data.formats import mask_image
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.train import train

NET = ["model.name=unet", "model.backbone=none", "model.weights=none", "model.width=2", "model.depth=1"]


@pytest.fixture
def write(tmp_path, monkeypatch):
    """`write(masks)`: an image for each mask; the recipe's overrides for both."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def written(masks) -> list[str]:
        for kind in "im":
            (tmp_path / kind).mkdir()
        generator = np.random.default_rng(0)
        for at, mask in enumerate(masks):
            pixels = generator.integers(0, 256, (*mask.shape[:2], 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"i/{at:02}.png")
            Image.fromarray(mask).save(tmp_path / f"m/{at:02}.png")
        places = [f"data.path={tmp_path}/i", f"data.masks={tmp_path}/m", f"train.run={tmp_path}/run"]
        return [*places, *NET, "input.stride=2", "augment=[]"]

    return written


def ids(at: int, *others: int) -> np.ndarray:
    """8 x 8 class ids: 0, 1, and others in one pixel each."""
    mask = np.zeros((8, 8), np.uint8)
    mask[4:, : 1 + at % 7] = 1
    mask[0, : len(others)] = others
    return mask


def refused(overrides, tmp_path) -> str:
    with pytest.raises(InputError) as error:
        train(load_recipe("masks", overrides))
    assert not (tmp_path / "run" / "recipe.yaml").exists()
    return str(error.value).replace(str(tmp_path), "ROOT")


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_values_outside_the_classes(write, tmp_path, caplog, weights):
    """A dog is 9 in these masks: its class has no pixel, and there is nothing to balance."""
    overrides = [*write(ids(at, *[9] * (at < 15)) for at in range(40)), "data.classes=[sky, cat, dog]"]
    told = refused([*overrides, f"model.class_weights={weights}"], tmp_path)
    value = "value 9 in 1 pixel, and the classes are 0 to 2 (255 does not count; data.classes names them)"
    assert told.startswith(
        "15 of 40 samples cannot be used, and data.max_bad bears 1 % of all: "
        f"ROOT/i/00.png: mask ROOT/m/00.png: {value}; "
    )
    assert told.endswith("; ...: repair or remove them, or say data.max_bad=15")
    assert "left out" not in caplog.text
    assert "classes that no training sample holds, so that they are never learnt: dog" in caplog.messages


def test_nothing_to_balance_is_told_where_the_bad_masks_are_few(write, tmp_path):
    overrides = [*write(ids(at, *[9] * (at < 2)) for at in range(40)), "data.classes=[sky, cat, dog]"]
    told = refused([*overrides, "model.class_weights=balanced", "data.max_bad=2"], tmp_path)
    assert told.startswith("model.class_weights: no training mask has a pixel of 'dog', so there is nothing to balance")


def test_no_mask_fits_the_table_of_colours(write, tmp_path):
    masks = [np.full((8, 8, 3), (1, 2, at), np.uint8) for at in range(40)]
    told = refused([*write(masks), "data.colors={sky: [0, 0, 0], dog: [255, 0, 0]}"], tmp_path)
    assert told.startswith("40 of 40 samples cannot be used, and data.max_bad bears 1 % of all: ROOT/i/00.png: mask ")
    assert re.search(
        r"mask ROOT/m/\d\d.png: colour \[1, 2, \d+\] in 64 pixels, and data.colors has no such: name it there, as "
        "'ignore' if it does not count; .*; ...: repair them, or correct what the data section says of them$",
        told,
    )


def test_a_class_that_nobody_looked_at_stops_the_job_whatever_max_bad_bears(write, tmp_path, monkeypatch):
    monkeypatch.setattr(mask_image, "MAX_LOOKED_AT", 2)  # the first and the last
    told = refused([*write(ids(at, *[2] * (at == 5)) for at in range(40)), "data.max_bad=100%"], tmp_path)
    assert told == (
        "mask ROOT/m/05.png: value 2 in 1 pixel, and the 2 of 40 masks that were looked at hold only 0 to 1: write "
        "below data 'classes: [class_0, class_1, class_2]' with your names, one for each value that is a class; a mask "
        "with another is told as bad then"
    )
