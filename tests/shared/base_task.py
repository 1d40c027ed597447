"""What every task must do, whatever it learns: a new one is a subclass of a few lines."""

import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import saccade
from saccade.models.contract import Task, classes_in, with_role, without_padding
from saccade.models.files import WEIGHTS
from saccade.models.inputs.image import ImageInput
from saccade.models.predictor import Predictor, stacked
from saccade.pipelines.data.data import Data, prepare_data
from saccade.pipelines.data.source import DataOptions, ImageSource, request
from saccade.pipelines.feeding.batches import batches_of_samples, make_augmenter
from saccade.pipelines.feeding.order import Order
from saccade.pipelines.feeding.reading import reader
from saccade.pipelines.recipe.optimizer_options import Constant
from saccade.pipelines.recipe.recipe import Recipe, load_recipe
from saccade.pipelines.training.job import write_proof_samples
from saccade.pipelines.training.optimizers import compile_model
from saccade.serving.bundle import Bundle
from saccade.serving.client import Client
from saccade.serving.export import export


@dataclasses.dataclass
class Job:
    """A recipe's data, its task that adapted to them, and a run of its first weights."""

    recipe: Recipe
    data: Data
    task: Task
    predictor: Predictor
    run: Path


class BaseTaskTest:
    """A subclass says which recipe, and what of it may change.

    Attributes:
        recipe: the name of a shipped recipe, or the text of one.
        overrides: of it.
        batch: samples of a training step, at least.
        turns: steps until each of the model's optimizers had its turn.
        changed_input, changed_results, changed_evaluation: other values of these sections of the recipe; of each that
            has any field.
    """

    recipe: str
    overrides: Sequence[str] = ()
    batch = 4
    turns = 1
    sizes = ((20, 28), (33, 17), (9, 40))
    changed_input: Mapping[str, Any] = {}
    changed_results: Mapping[str, Any] = {}
    changed_evaluation: Mapping[str, Any] = {}

    @pytest.fixture(scope="class")
    @classmethod
    def job(cls, tmp_path_factory) -> Job:
        folder, name = tmp_path_factory.mktemp(cls.__name__), cls.recipe
        if "\n" in name:
            (folder / "recipe.yaml").write_text(name)
            name = folder / "recipe.yaml"
        recipe = load_recipe(name, ["augment=[]", f"train.run={folder / 'run'}", *cls.overrides])
        keras.utils.set_random_seed(0)
        source, task = recipe.open()
        data = prepare_data(source, task, recipe.data, recipe.train.memory * 2**20)
        predictor, run = Predictor(task, task.model()), folder / "run"
        run.mkdir()
        predictor.describe(run, recipe.task, recipe.import_paths)
        predictor.model.save_weights(run / WEIGHTS)
        write_proof_samples(run, task, data)
        return Job(recipe, data, task, predictor, run)

    @pytest.fixture(scope="class")
    @classmethod
    def bundle(cls, job) -> Path:
        """An export that proved itself in a clean process."""
        return export(job.run, job.run.parent / "bundles", "own")

    @pytest.fixture(scope="class")
    @classmethod
    def samples(cls, job) -> dict[str, tf.Tensor]:
        """A training batch in which every class is seen."""
        positions = cls.positions(job)
        read = reader(job.task, job.data.source, positions, memory=2**24)
        augmenter = make_augmenter(job.recipe, job.task)
        order = Order(np.array(positions), 0, keys=job.data.source.keys)
        return next(iter(batches_of_samples(job.task, order, read, augmenter, len(positions), 0)))

    @classmethod
    def positions(cls, job) -> list[int]:
        """Of training samples that show every class."""
        task, train = job.task, job.data.splits["train"].tolist()
        name = with_role(task.truth, "class_ids", "multi_hot")
        chosen, missing = [], set(range(len(task.class_names))) if name else set()
        for position in train:
            seen = set(classes_in(job.data.source.truth(position)[name], task.truth[name]).tolist()) if name else set()
            if seen & missing or (not missing and len(chosen) < cls.batch):
                chosen.append(position)
            missing -= seen
        assert not missing and len(chosen) >= cls.batch
        return chosen

    def model(self, job) -> keras.Model:
        """A new one, ready to be trained."""
        keras.utils.set_random_seed(0)
        model = job.task.model()
        compile_model(model, job.recipe.train.optimizer, Constant(), epochs=1, steps=self.turns, jit=False)
        return model

    @pytest.fixture(scope="class")
    @classmethod
    def raws(cls, job) -> list[Mapping[str, Any]]:
        """Serving requests, images of three sizes."""
        source, positions = job.data.source, cls.positions(job)[: len(cls.sizes)]
        raws = [request(job.task, source, position) for position in positions]
        if isinstance(job.task.input, ImageInput):
            raws = [_resized(job.task.input, raw, size) for raw, size in zip(raws, cls.sizes, strict=True)]
        return raws

    @pytest.fixture(scope="class")
    @classmethod
    def batch_of_all(cls, job, raws) -> dict[str, tf.Tensor]:
        """The same as one batch for the graph."""
        return stacked(job.task.input.ready(raws), job.task.input.graph_signatures)

    def test_one_turn_of_all_optimizers_moves_every_trainable_weight(self, job, samples):
        model = self.model(job)
        before = [weight.numpy() for weight in model.trainable_weights]
        for _ in range(self.turns):
            assert_finite(model.train_on_batch(*job.task.targets(samples), return_dict=True))
        after = zip(model.trainable_weights, before, strict=True)
        assert before and not [weight.path for weight, old in after if np.array_equal(weight, old)]

    def test_truth_that_is_all_padding_gives_a_finite_loss(self, job, samples):
        padded = {name: each for name, each in job.task.truth.items() if each.trains and each.varies}
        if not padded:
            pytest.skip(f"no truth of {type(job.task).__name__} is padded")
        nothing = {
            name: tf.fill(tf.shape(samples[name]), "" if each.dtype == "string" else tf.cast(each.pad, each.dtype))
            for name, each in padded.items()
        }
        model = self.model(job)
        for _ in range(self.turns):
            assert_finite(model.train_on_batch(*job.task.targets(samples | nothing), return_dict=True))
        assert_finite({weight.path: weight.numpy() for weight in model.trainable_weights})

    def test_an_answer_depends_on_its_sample_alone(self, job, raws, batch_of_all):
        alone = [next(job.predictor.answer_raws([raw])) for raw in raws]
        assert_same(job.task, job.predictor.answer_raws(raws), alone)
        assert_same(job.task, _rows(job.task, job.predictor(**batch_of_all)), alone)

    def test_in_the_bundle_too(self, job, raws, bundle, batch_of_all):
        """In one request to the graph, as TF Serving would call it."""
        serve = tf.saved_model.load(str(bundle)).signatures[next(iter(job.task.input.graph_signatures))]
        together = _rows(job.task, serve(**batch_of_all))
        assert_same(job.task, together, [next(job.predictor.answer_raws([raw])) for raw in raws])

    def test_predictor_bundle_and_server_answer_alike(self, job, raws, bundle):
        answers = list(job.predictor.answer_raws(raws))
        assert_same(job.task, Bundle(bundle).predict(raws), answers)
        with saccade.serve(bundle, port=0) as server:
            served = Client(server.url, "own").predict(raws)
        assert_same(job.task, [_typed(job.task, *pair) for pair in zip(served, answers, strict=True)], answers)

    def test_run_and_bundle_have_the_fingerprint(self, job, bundle):
        prints = {job.predictor.fingerprint, Predictor.load(job.run).fingerprint, Bundle(bundle).fingerprint}
        assert len(prints) == 1

    def test_the_fingerprint_is_of_all_that_answers_depend_on(self, job):
        predictor, task = job.predictor, job.task
        prints = [predictor.fingerprint, self.fingerprint(job, learned=task.learned | {"more": [1, 2]})]
        for name, value in predictor.settings.items():
            prints.append(self.fingerprint(job, settings=predictor.settings | {name: value / 2}))
        prints.append(self.fingerprint(job, input=_changed(task.input_options, self.changed_input)))
        if type(task.result_options).model_fields:
            prints.append(self.fingerprint(job, results=_changed(task.result_options, self.changed_results)))
        weight = predictor.model.trainable_weights[-1]
        kept = weight.numpy()
        weight.assign(kept + 1)
        prints.append(self.fingerprint(job))
        weight.assign(kept)
        assert len(set(prints)) == len(prints)

    def test_and_of_nothing_else(self, job):
        """What an evaluation needs; what `adapt` found for the loss alone, as class weights: here it saw nothing."""
        task, prints = job.task, {job.predictor.fingerprint, self.fingerprint(job)}
        if type(task.evaluation_options).model_fields:
            prints.add(self.fingerprint(job, evaluate=_changed(task.evaluation_options, self.changed_evaluation)))
        assert len(prints) == 1

    def fingerprint(self, job, input=None, results=None, evaluate=None, learned=None, settings=None) -> str:
        """Of a task that was not adapted, but told what was learned, with the job's model."""
        task = type(job.task)(
            job.task.class_names,
            job.task.model_options,
            input or job.task.input_options,
            results or job.task.result_options,
            evaluate or job.task.evaluation_options,
            job.task.learned if learned is None else learned,
        )
        return Predictor(task, job.predictor.model, settings or job.predictor.settings).fingerprint


class Patches(ImageSource):
    """Small images, in each of which any of three coloured patches are: a label for each that is there."""

    Options = DataOptions

    def __init__(self, options, truth):
        self.class_names = ["red", "green", "blue"]
        self.keys = [f"patches {number}" for number in range(24)]
        self.splits, self.groups = {}, self.keys

    def truth(self, position):
        return {"labels": np.array([position >> label & 1 for label in range(3)], np.float32)}

    def encoded(self, position):
        image = np.random.default_rng(position).integers(0, 60, (16, 16, 3), np.uint8)
        for label in np.flatnonzero(self.truth(position)["labels"]):
            image[5 * label : 5 * label + 5, :8, label] = 220
        return _png(image)


def assert_finite(values: Mapping[str, Any]) -> None:
    assert values and not [name for name, value in values.items() if not np.isfinite(value).all()]


def assert_same(task, answers, expected) -> None:
    """Results of some samples are equal as the task says it; what a graph runs in a batch rounds otherwise."""
    for answer, right in zip(answers, expected, strict=True):
        assert answer.keys() == right.keys() and task.difference(answer, right) <= 1e-5


def _rows(task, results):
    names = {name: length for name, length in task.lengths.items() if name in results and length in results}
    return without_padding({name: value.numpy() for name, value in results.items()}, names)


def _typed(task, served, here):
    """One answer of a server, JSON, in the types of the Predictor's, without padding."""
    row = {}
    for name, value in here.items():
        value = np.asarray(value)
        if value.dtype.kind in "OS":
            encoded = np.asarray(served[name], object)
            row[name] = np.vectorize(lambda text: text.encode() if isinstance(text, str) else text, "O")(encoded)[()]
        else:
            row[name] = np.asarray(served[name], value.dtype)
    return without_padding(
        {name: [value] for name, value in row.items()}, {k: v for k, v in task.lengths.items() if k in row and v in row}
    )[0]


def _changed(options, values):
    assert values, f"say in the test what of {type(options).__name__} may change"
    changed = type(options)(**options.model_dump() | values)
    assert changed != options
    return changed


def _resized(source, raw, size):
    height, width = size
    return source.encode(np.asarray(Image.fromarray(source.show(raw)).resize((width, height))))


def _png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
