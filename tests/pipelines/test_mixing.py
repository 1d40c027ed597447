"""MixUp and CutMix in the training pipeline, on its contact sheet, and through a training."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from saccade.models.classification.task import Classification
from saccade.models.errors import InputError
from saccade.models.metrics.plots import PLAIN, Caption, add_strip
from saccade.models.predictor import Predictor
from saccade.pipelines.contact_sheet import tile, training_sheet
from saccade.pipelines.feeding.batches import batches_of_samples, make_augmenter, training_batches
from saccade.pipelines.feeding.order import Order
from saccade.pipelines.feeding.reading import reader
from saccade.pipelines.run import Run
from saccade.pipelines.train import dry_run, train

POSITIONS = np.arange(3, 24)
MIXES = "augment=[{MixUp: {p: 0.5}}, {CutMix: {p: 0.5}}]"


@pytest.fixture
def open_recipe(digits_recipe):
    """`open_recipe(*overrides)`: recipe, source, task, augmenter."""

    def opened(*overrides):
        recipe = digits_recipe("train.batch=8", *overrides)
        return recipe, *(opened := recipe.open()), make_augmenter(recipe, opened[1])

    return opened


def batches(opened, epoch=0, skip=0, memory=2**20, seed=0):
    _, source, task, augmenter = opened
    order = Order(POSITIONS, seed, companions=augmenter.companions, keys=source.keys)
    order.start(epoch, skip)
    read = reader(task, source, POSITIONS, memory, keep_loaded=memory > 0)
    return list(training_batches(task, order, read, augmenter, 8, seed).as_numpy_iterator())


def history(run):
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def assert_same(one, other):
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        for a, b in zip(left, right, strict=True):
            np.testing.assert_array_equal(a, b)


def test_going_on_in_mid_epoch_gives_the_same_batches(open_recipe):
    opened = open_recipe("augment=[{Affine: {rotate: 30}}, CutMix, MixUp]")
    whole = batches(opened, epoch=3)
    assert [len(x) for x, _ in whole] == [8, 8, 5]
    assert_same(whole, batches(opened, epoch=3, memory=0))
    assert_same(whole[1:], batches(opened, epoch=3, skip=8))
    assert not np.array_equal(whole[0][0], batches(opened, epoch=4)[0][0])


def test_images_and_targets_are_mixed_alike(open_recipe):
    """Every mixed batch is a linear map of the unmixed one: the same for images (MixUp) and for targets."""
    opened = open_recipe("augment=[{MixUp: {alpha: 1.0}}]")
    plain = batches((*opened[:3], open_recipe("augment=[]")[3]))
    for (mixed_x, mixed_y), (x, y) in zip(batches(opened), plain, strict=True):
        np.testing.assert_allclose(mixed_y.sum(axis=1), 1, atol=1e-5)
        weights = np.linalg.lstsq(x.reshape(len(x), -1).T, mixed_x.reshape(len(x), -1).T, rcond=None)[0].T
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-2)
        np.testing.assert_allclose(weights @ y, mixed_y, atol=1e-2)


def again(generator: np.random.Generator) -> np.ndarray:
    """Each sample three times, shuffled."""
    return generator.permutation(np.repeat(np.arange(len(POSITIONS)), 3))


@pytest.mark.parametrize(
    "step", ["{Affine: {rotate: [-180, 180], p: 1}}", "{Mosaic: {target_size: [8, 8], cell_shape: [8, 8], p: 1}}"]
)
def test_a_sample_that_is_drawn_again_is_augmented_anew_and_the_same_in_each_run(open_recipe, step):
    recipe, source, task, augmenter = open_recipe(f"augment=[{step}]")
    read = reader(task, source, POSITIONS, 2**20, keep_loaded=True)

    def seen(epoch=1, skip=0, seed=0) -> dict[tuple[str, int], bytes]:
        order = Order(POSITIONS, seed, again, augmenter.companions, source.keys)
        order.start(epoch, skip)
        found = {}
        for batch in batches_of_samples(task, order, read, augmenter, 8, seed).as_numpy_iterator():
            rows = zip(batch["key"], batch["n"], batch["image"], strict=True)
            found |= {(key.decode(), int(n)): image.tobytes() for key, n, image in rows}
        return found

    whole = seen()
    assert len(whole) == 3 * len(POSITIONS)
    for key in {key for key, _ in whole}:
        assert len({whole[key, n] for n in range(3)}) == 3
    assert seen() == whole
    rest = seen(skip=16)
    assert len(rest) == len(whole) - 16 and all(whole[draw] == image for draw, image in rest.items())
    assert not set(seen(epoch=2).values()) & set(whole.values())


def test_without_transforms_no_sample_visits_python(open_recipe, monkeypatch):
    opened = open_recipe(MIXES)
    monkeypatch.setattr("saccade.pipelines.feeding.batches.augmented", None)
    assert len(batches(opened)) == 3
    _, source, task, augmenter = opened
    read = reader(task, source, POSITIONS, 2**20)
    for batch in batches_of_samples(task, Order(POSITIONS, 0), read, augmenter, 8, 0).take(1):
        assert set(batch) == {"key", "image", "label", "epoch", "n"}


def test_a_task_of_hard_targets_is_refused(digits_recipe, tmp_path):
    class Hard(Classification):
        soft_targets = False

    recipe = digits_recipe("augment=[HorizontalFlip, MixUp, CutMix]", f"train.run={tmp_path / 'run'}")
    recipe = dataclasses.replace(recipe, task="own:Hard", task_class=Hard)
    with pytest.raises(InputError, match="^augment: MixUp, CutMix gives each sample shares of two truths"):
        train(recipe)
    assert not (tmp_path / "run").exists()


def test_the_contact_sheet_shows_what_the_network_sees(open_recipe):
    opened = open_recipe("augment=[{Affine: {rotate: 30}}, CutMix, {MixUp: {p: 0.5, alpha: 1.0}}]")
    recipe, source, task, augmenter = opened
    sheet = training_sheet(task, source, POSITIONS, augmenter, recipe.train, count=12)
    x, y = (np.concatenate(each)[:12] for each in zip(*batches(opened, memory=0), strict=True))
    order = Order(POSITIONS, 0).epoch()
    drawn = []
    for image, shares, position in zip(np.round(x).astype(np.uint8), y, order, strict=False):
        own = int(source.truth(int(position))["label"])
        rest = int(np.argmax(np.where(np.arange(10) == own, 0, shares)))
        if shares.max() == 1:  # the same class twice, or not mixed: drawn by the task, tested below
            drawn.append(None)
            continue
        text = [f"{100 * shares[each]:.0f} % {task.class_names[each]}" for each in (own, rest)]
        drawn.append(add_strip(image, [Caption(each, "", PLAIN) for each in text]))
    known = next(each for each in drawn if each is not None)
    expected = tile([np.zeros_like(known) if each is None else each for each in drawn])
    mine, wanted = np.asarray(sheet), np.asarray(expected)
    assert sheet.size == expected.size and sum(each is not None for each in drawn) > 4
    height, width = mine.shape[0] // 3, mine.shape[1] // 4
    for number, each in enumerate(drawn):
        if each is not None:
            cell = np.s_[number // 4 * height :, number % 4 * width :]
            np.testing.assert_array_equal(mine[cell][:height, :width], wanted[cell][:height, :width])


def test_the_contact_sheet_without_mixes_shows_the_truth_alone(open_recipe):
    recipe, source, task, augmenter = open_recipe("augment=[]")
    sheet = training_sheet(task, source, POSITIONS, augmenter, recipe.train, count=4)
    (x, _), *_ = batches((recipe, source, task, augmenter))
    labels = [source.truth(int(position)) for position in Order(POSITIONS, 0).epoch()[:4]]
    drawn = [task.draw(image, None, truth) for image, truth in zip(np.round(x).astype(np.uint8), labels, strict=False)]
    np.testing.assert_array_equal(np.asarray(sheet), np.asarray(tile(drawn)))


def test_a_dry_run_with_everything_in_two_phases(digits_recipe, tmp_path, caplog):
    overrides = [
        "augment=[{RandomErasing: {p: 0.3}}, MixUp, CutMix]",
        "model.loss=focal",
        "model.l2=0.0001",
        "model.class_weights={0: 2.0, 7: 0.5}",
        "model.sampling=balanced",
        "train.head={epochs: 1}",
        "train.batch=16",
    ]
    run = dry_run(digits_recipe(*overrides), tmp_path)
    assert [np.isfinite(line["loss"]) for line in history(run)] == [True, True]
    assert "phase 'head'" in caplog.text and "phase 'all'" in caplog.text and Run(run).progress.finished
    assert Predictor.load(run).predict([np.zeros((8, 8), np.uint8)])  # knows nothing of the training truth
    with Image.open(run / "training_samples.png") as image:
        assert min(image.size) > 100


def test_several_labels_are_balanced_and_mixed(tmp_path, digits_recipe):
    random = np.random.default_rng(0)
    rows = ["path,labels"]
    for number in range(40):
        Image.fromarray(random.integers(0, 255, (8, 8, 3), np.uint8)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{('a', 'a|b', 'b', '')[number % 4]}")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    run = train(
        digits_recipe(
            "data={source: csv, separator: '|'}",
            f"data.path={tmp_path / 'table.csv'}",
            "model.multi_label=true",
            "model.class_weights=balanced",
            "model.loss=focal",
            MIXES,
            "train.epochs=1",
            "train.batch=8",
            f"train.run={tmp_path / 'run'}",
        )
    )
    (line,) = history(run)
    assert np.isfinite(line["loss"]) and 0.2 < line["accuracy"] < 0.8  # soft targets count, too


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        # YAML reads a class called 11 as a number
        (["model.class_weights={11: 2.0}"], r"^model\.class_weights: the data has no class '11': did you mean 1"),
        (["augment=[{MixUp: {alpha: -1}}]"], r"^augment\[0\]: MixUp: alpha=-1: "),
    ],
)
def test_wrong_on_purpose_at_the_start(digits_recipe, tmp_path, overrides, message):
    with pytest.raises(InputError, match=message) as caught:
        train(digits_recipe(*overrides, f"train.run={tmp_path / 'run'}"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.class_weights=balancd", r"'model\.class_weights' is 'balancd': did you mean balanced"),
        ("model.class_weights={rose: 0}", r"'model\.class_weights\.rose' is 0: input should be greater than 0"),
        ("model.class_weights={rose: much}", r"'model\.class_weights\.rose' is 'much': input should be a valid number"),
        ("model.class_weights=3", r"'model\.class_weights' is '3': known: balanced, none"),
        ("model.sampling=evn", r"'model\.sampling' is 'evn': known: balanced, natural"),
        ("model={name: lenet, multi_label: true, sampling: balanced}", r"'model\.sampling' is 'balanced': an image"),
    ],
)
def test_wrong_on_purpose_in_the_recipe(digits_recipe, override, message):
    with pytest.raises(InputError, match=message):
        digits_recipe(override)
