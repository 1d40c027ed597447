"""Segmentation through the jobs, on some of the real nuclei: trained, evaluated, reported, predicted, served."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from pixel_regression import pixel_regression

from saccade.cli import main
from saccade.models.errors import InputError
from saccade.models.predictor import Predictor
from saccade.pipelines.evaluating.evaluate import evaluate
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.report.report import report
from saccade.pipelines.train import train
from saccade.serving.bundle import Bundle
from saccade.serving.client import Client
from saccade.serving.export import export
from saccade.serving.server import Server


@pytest.fixture(scope="module")
def nuclei(data_dir, tmp_path_factory):
    """A folder of every fifth image and its mask, cut to their first 160 rows and columns."""
    root = tmp_path_factory.mktemp("nuclei")
    for kind in ("images", "labels"):
        (root / kind).mkdir()
        for path in sorted((data_dir / "segmentation/dsb2018_nuclei" / kind).iterdir())[::5]:
            with Image.open(path) as image:
                image.crop((0, 0, min(160, image.width), min(160, image.height))).save(root / kind / path.name)
    return root


@pytest.fixture(scope="module")
def images(data_dir):
    """Some of the images as they are."""
    return sorted((data_dir / "segmentation/dsb2018_nuclei/images").iterdir())[:15:5]


@pytest.fixture(scope="module")
def recipe(nuclei, data_dir):
    """The shipped recipe on those, with a small network from scratch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SACCADE_DATA", str(data_dir))
        small = [
            "augment=[{D4: {p: 1.0}}, {RandomCrop: {height: 96, width: 96, p: 1.0}}]",
            "model={name: unet, width: 8, depth: 3}",
            "results.instances=watershed",
            "train={epochs: 12, batch: 4}",
            "train.optimizer={name: adamw, learning_rate: 0.003}",
            "train.schedule={name: cosine, warmup: 1}",
        ]
        data = [f"data.path={nuclei / 'images'}", f"data.masks={nuclei / 'labels'}"]
        yield lambda *overrides: load_recipe("nuclei", [*data, *small, *overrides])


@pytest.fixture(scope="module")
def run(recipe, nuclei):
    return train(recipe(f"train.run={nuclei / 'run'}"))


@pytest.fixture(scope="module")
def metrics(run):
    return evaluate(run)


def test_is_better_than_logistic_regression_on_pixels(run, metrics):
    assert metrics["dice"].value > pixel_regression(run)["dice"].value
    assert metrics["mean_ap"].value > 0.1  # of objects, by the watershed


def test_the_threshold_of_validation_is_the_predictors(run):
    threshold = json.loads((run / "predictor.json").read_text())["settings"]["threshold"]
    image = next((run / "proof").glob("*.png"))
    (said,) = Predictor.load(run).predict([image], results=["mask", "probabilities"])
    np.testing.assert_array_equal(said["mask"] == 1, said["probabilities"][..., 1] >= np.float32(threshold))


def test_the_report_shows_worst_median_and_best(run, metrics):
    page = report(run).read_text()
    for name in ("worst", "median", "best"):
        lines = (run / "evaluation/test" / f"{name}.jsonl").read_text().splitlines()
        assert lines and json.loads(lines[0])["key"] in page


def test_tiles_answer_like_whole_images(run, images, tmp_path, capsys):
    said = Predictor.load(run).predict(images)
    out = tmp_path / "out"
    assert main(["predict", str(run), *map(str, images), "--save", str(out), "--tile", "160", "--overlap", "64"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line, whole in zip(lines, said, strict=True):
        with Image.open(line["files"][0]) as image:
            assert (np.array(image) == whole["mask"]).mean() > 0.98


def test_masks_come_back_over_rest(run, images, tmp_path):
    bundle = Bundle(export(run, tmp_path, "nuclei"))
    said = Predictor.load(run).predict(images)
    with Server(bundle, port=0) as server:
        answers = Client(server.url, "nuclei").predict(images, signature="png")
    for whole, answer in zip(said, answers, strict=True):
        with Image.open(io.BytesIO(answer["mask_png_bytes"])) as image:
            np.testing.assert_array_equal(np.array(image), whole["mask"])


def test_training_without_an_object_is_refused(recipe, nuclei, tmp_path):
    for kind in ("images", "labels"):
        shutil.copytree(nuclei / kind, tmp_path / kind)
    for path in (tmp_path / "labels").iterdir():
        with Image.open(path) as image:
            Image.fromarray(np.zeros(image.size[::-1], np.uint16)).save(path)
    places = [f"data.path={tmp_path / 'images'}", f"data.masks={tmp_path / 'labels'}", "data.encoding=instances"]
    with pytest.raises(InputError, match="pixel of any class but 'background'") as refused:
        train(recipe(*places, f"train.run={tmp_path / 'run'}"))
    assert "\n" not in str(refused.value)
