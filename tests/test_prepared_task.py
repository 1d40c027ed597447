"""A task whose images are prepared in Python before the graph: cropped in check, training, evaluation, prediction,
export, proof and server alike, and one that is refused costs the others nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cropped_colour
import numpy as np
import pytest
import tensorflow as tf
from base_task import BaseTaskTest
from cropped_colour import Cropped, CroppedColour, black, image, size

import saccade
from saccade.cli import main
from saccade.models.contract import ModelOptions, Truth
from saccade.models.errors import InputError, JobError
from saccade.models.files import DESCRIPTION
from saccade.models.inputs.image import ImageInput
from saccade.models.inputs.image.options import ImageOptions
from saccade.models.predictor import Predictor
from saccade.pipelines.data.source import DataOptions
from saccade.pipelines.feeding.reading import reader
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.serving.bundle import Bundle, RefusedError
from saccade.serving.client import Client
from saccade.serving.description import EXTRA, FILE
from saccade.serving.endpoints import Endpoints
from saccade.serving.export import export
from saccade.serving.proof import prove
from saccade.serving.samples import read_samples

HERE = Path(cropped_colour.__file__).parent
COUNT = 20
RECIPE = """
task: cropped_colour:CroppedColour
data: {source: folder, path: images, max_bad: 1, validation: 0.2, test: 0.2}
input: {size: 16}
model: {name: mean}
train: {epochs: 6, batch: 4, run: run, optimizer: {name: adam, learning_rate: 0.3}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twenty images in folders of their colour, and one that is all black; a recipe."""
    folder = tmp_path_factory.mktemp("prepared")
    for number in range(COUNT):
        place = folder / "images" / ("blue" if number % 2 else "red")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:02}.png").write_bytes(image(number))
    (folder / "images/red/black.png").write_bytes(black())
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def run(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        return saccade.train(folder / "recipe.yaml")


@pytest.fixture(scope="module")
def predictor(run):
    return Predictor.load(run)


@pytest.fixture(scope="module")
def bundle(run):
    return export(run, run.parent / "bundles", "colour")


@pytest.fixture
def items(tmp_path):
    """Files: a BMP and a PNG that are answered, between them one that is black and one that is broken."""
    contents = {"a.bmp": image(3, "BMP"), "black.png": black(), "broken.png": image(4)[:150], "b.png": image(6)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return [str(tmp_path / name) for name in contents]


def make(kind=CroppedColour, names=("blue", "red"), **options):
    return kind(names, ModelOptions(name="mean"), ImageOptions(**{"size": 16} | options))


class TestCheckAndTraining:
    def test_the_check_sets_aside_what_is_refused(self, run):
        (bad,) = map(json.loads, (run / "quarantine.jsonl").read_text().splitlines())
        assert bad["where"].endswith("red/black.png") and bad["reason"] == "nothing but black"

    def test_training_sees_what_the_graph_is_given(self, folder, predictor):
        """Every sample as it is loaded for training is the crop, pixel by pixel."""
        source, task = load_recipe(folder / "recipe.yaml").open()
        good = [at for at, key in enumerate(source.keys) if "black" not in key]
        for memory in (2**24, 0):
            read = reader(task, source, good, memory)
            for at in good[:3]:
                number = int(Path(source.keys[at]).stem)
                loaded = read(tf.constant(at, tf.int64))["image"].numpy()
                (made,) = task.input.ready([{"bytes": image(number)}])
                np.testing.assert_array_equal(loaded, task.input.show(made))
                assert loaded.shape == (*size(number), 3)

    def test_a_sample_that_turns_bad_after_the_check_is_named(self, folder):
        source, task = load_recipe(folder / "recipe.yaml").open()
        at = next(at for at, key in enumerate(source.keys) if "black" in key)
        with pytest.raises(JobError, match="red/black.png: nothing but black"):
            reader(task, source, [at], 0)

    def test_it_learns_and_is_evaluated(self, run):
        metrics = json.loads((run / "evaluation" / "validation" / "metrics.json").read_text())
        assert "accuracy" in str(metrics)
        assert saccade.evaluate(run)["accuracy"].value == 1.0

    def test_a_new_version_is_checked_anew(self, folder):
        from saccade.pipelines.data.data import _cache_file

        task, options = make(), DataOptions(source="folder")
        before = _cache_file(options, task)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Cropped, "prepare_version", "2")
            assert _cache_file(options, task) != before


class TestAsAnyTask(BaseTaskTest):
    """What every task has to do, this one does as well: on digits, which stand on black."""

    recipe = "task: cropped_colour:CroppedColour\ndata: {source: digits}\ninput: {size: 16}\nmodel: {name: mean}\n"
    changed_input = {"size": 12}


class TestPrediction:
    def test_in_python(self, predictor):
        answers = predictor.predict([image(3), image(6)])
        assert [tuple(each["size"]) for each in answers] == [size(3), size(6)]
        assert [each["class_name"] for each in answers] == [b"blue", b"red"]

    def test_one_that_is_refused_costs_the_others_nothing(self, predictor):
        raws = [{"bytes": each} for each in (image(3), black(), image(4)[:150], b"no image", image(6))]
        first, *bad, last = predictor.answer_raws(raws)
        assert (tuple(first["size"]), tuple(last["size"])) == (size(3), size(6))
        assert bad[:2] == ["nothing but black", "truncated or broken PNG"] and bad[2].startswith("not an image")
        with pytest.raises(InputError, match="item 1: nothing but black"):
            predictor.predict([image(3), black()])

    def test_at_the_terminal(self, run, items, capsys):
        assert main(["predict", str(run), *items]) == 2
        first, *bad, last = map(json.loads, capsys.readouterr().out.splitlines())
        assert (first["class_name"], first["size"]) == ("blue", list(size(3)))
        assert (last["class_name"], last["size"]) == ("red", list(size(6)))
        assert [each["error"] for each in bad] == ["nothing but black", "truncated or broken PNG"]

    def test_the_graph_takes_what_is_prepared(self, predictor):
        """And the signature of decoded images is one of prepared ones."""
        (made,) = predictor.task.input.ready([{"bytes": image(3)}])
        (answer,) = predictor.predict([image(3)])
        for given in ({"bytes": tf.constant([made["bytes"]])}, {"images": predictor.task.input.show(made)[np.newaxis]}):
            np.testing.assert_array_equal(predictor(**given)["size"][0], answer["size"])

    def test_tiles_are_refused(self, run, items):
        class Tiled(CroppedColour):
            tile_results = ("scores",)

        from saccade.pipelines.predicting.tile_layout import Tiles
        from saccade.pipelines.predicting.tiles import Tiler

        task = make(Tiled, fit="pad", size=None)
        with pytest.raises(InputError, match="Cropped prepares whole images: predict without tiles"):
            Tiler(Predictor(task, cropped_colour.Network(2, (None, None, 3))), Tiles(32, 8))


class TestBundleAndServer:
    def test_one_answer_everywhere(self, predictor, bundle):
        expected = predictor.predict([image(number) for number in range(4)])
        given = [{"bytes": image(number)} for number in range(4)]
        with saccade.serve(bundle, port=0) as server:
            served = Client(server.url, "colour").predict(given)
        prepared = tf.saved_model.load(str(bundle)).signatures["prepared"]
        made = [each["bytes"] for each in predictor.task.input.ready(given)]
        graph = prepared(bytes=tf.constant(made))
        for place, (right, ours, theirs) in enumerate(
            zip(expected, Bundle(bundle).predict(given), served, strict=True)
        ):
            assert right["class_name"] == ours["class_name"] == theirs["class_name"].encode()
            assert right["size"].tolist() == ours["size"].tolist() == theirs["size"] == list(size(place))
            assert graph["class_name"][place] == right["class_name"]
            assert graph["size"][place].numpy().tolist() == right["size"].tolist()

    def test_other_signatures_are_prepared_too(self, predictor, bundle):
        (right,) = predictor.predict([image(5)], results=["scores", "label"])
        (answer,) = Bundle(bundle).predict([image(5)], signature="scores")
        np.testing.assert_allclose(answer["scores"], right["scores"], atol=1e-6)
        assert answer["label"] == right["label"]

    def test_raw_values_find_no_signature_in_plain_tensorflow(self, bundle):
        """Else TensorFlow Serving would answer the same request otherwise than saccade's server."""
        names = set(tf.saved_model.load(str(bundle)).signatures)
        assert names == {"prepared", "prepared_scores", "images"}

    def test_the_description_says_so(self, bundle, run):
        said = json.loads((bundle / EXTRA / FILE).read_text())
        assert said["prepare"]["signatures"] == {"serving_default": "prepared", "scores": "prepared_scores"}
        assert said["prepare"]["version"] == "1" and said["task"] == "cropped_colour:CroppedColour"
        assert "TensorFlow Serving call prepared, prepared_scores" in said["prepare"]["note"]
        assert said["prepare"]["note"] in Endpoints(Bundle(bundle), "http://here").about
        assert said["proof"]["samples"] == len(read_samples(run / "proof"))

    def test_the_server_tells_all_signatures(self, bundle):
        endpoints = Endpoints(Bundle(bundle), "http://here")
        told = endpoints.metadata["metadata"]["signature_def"]["signature_def"]
        assert told.keys() >= {"serving_default", "scores", "prepared", "prepared_scores", "images"}
        assert told["serving_default"]["inputs"]["bytes"]["dtype"] == "DT_STRING"
        assert told["serving_default"]["outputs"] == told["prepared"]["outputs"]

    def test_the_server_names_the_instance_that_is_refused(self, bundle):
        with saccade.serve(bundle, port=0) as server:
            client = Client(server.url, "colour")
            with pytest.raises(InputError, match=r"instances\[1\]: nothing but black"):
                client.predict([image(3), black(), image(6)])
            assert client.predict([image(3)])[0]["size"] == list(size(3))
        with pytest.raises(RefusedError) as refused:
            Bundle(bundle).predict([image(3), black(), image(4)[:150]])
        assert refused.value.reasons == {1: "nothing but black", 2: "truncated or broken PNG"}

    def test_what_is_proved_again_needs_no_task(self, bundle):
        assert prove(bundle).largest_difference <= 1e-5

    def test_without_samples_it_warms_up_on_nothing(self, run, tmp_path):
        bundle = Bundle(export(run, tmp_path, "bare", keep_samples=False))
        bundle.warm_up()
        assert bundle.predict([image(3)])[0]["size"].tolist() == list(size(3))

    def test_a_prepare_that_gives_other_values_is_not_exported(self, run, tmp_path, monkeypatch):
        count = []

        def drifting(self, raws):
            count.append(1)
            return [{"bytes": image(len(count) % 7)} for _ in raws]

        monkeypatch.setattr(Cropped, "prepare", drifting)
        with pytest.raises(JobError, match="proof failed: Cropped.prepare gives other values the second time"):
            export(run, tmp_path, "drifting")
        assert not list(tmp_path.iterdir())

    def test_a_bundle_of_another_version_is_refused(self, bundle, monkeypatch):
        monkeypatch.setattr(Cropped, "prepare_version", "2")
        with pytest.raises(
            InputError, match="made with version 1 of Cropped.prepare, and there is version 2 here.*export"
        ):
            Bundle(bundle).warm_up()

    def test_where_the_task_is_not_there_prepared_values_are_answered(self, bundle, tmp_path):
        """In a process that cannot import it: raw values are refused with what to do."""
        code = """
import sys
from saccade.models.errors import InputError
from saccade.serving.bundle import Bundle
bundle = Bundle(sys.argv[1])
data = open(sys.argv[2], "rb").read()
print(bundle.predict([data], signature="prepared")[0]["size"].tolist())
try:
    bundle.predict([data])
except InputError as error:
    print(error)
"""
        (tmp_path / "whole.png").write_bytes(image(3))
        command = [sys.executable, "-c", code, str(bundle), str(tmp_path / "whole.png")]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        root = str(Path(__file__).resolve().parent.parent)
        done = subprocess.run(
            command, cwd=tmp_path, env=environment | {"PYTHONPATH": root}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        sizes, told = done.stdout.splitlines()
        assert sizes == "[40, 50]"  # as it is: nothing was cropped
        assert "cropped_colour" in told and "put its folder on PYTHONPATH, or send prepared values" in told


class TestFingerprint:
    def test_it_has_the_version(self, predictor, bundle, monkeypatch):
        fresh = Predictor(make(), predictor.model)
        before = fresh.fingerprint
        assert Bundle(bundle).fingerprint == predictor.fingerprint
        monkeypatch.setattr(Cropped, "prepare_version", "2")
        assert Predictor(make(), predictor.model).fingerprint != before

    def test_a_run_of_another_version_is_not_loaded(self, run, monkeypatch):
        assert json.loads((run / DESCRIPTION).read_text())["prepare"] == "1"
        monkeypatch.setattr(Cropped, "prepare_version", "2")
        with pytest.raises(
            InputError, match="made with version 1 of Cropped.prepare, and there is version 2 here.*train"
        ):
            Predictor.load(run)

    def test_a_run_of_another_version_is_not_resumed(self, folder, run, tmp_path, monkeypatch):
        shutil.copytree(run, tmp_path / "run")
        state = json.loads((tmp_path / "run/state.json").read_text()) | {"finished": False}
        (tmp_path / "run/state.json").write_text(json.dumps(state))
        monkeypatch.setattr(Cropped, "prepare_version", "2")
        with pytest.raises(InputError, match="version 1 of Cropped.prepare, .* or train anew with train.run=FOLDER"):
            saccade.train(folder / "recipe.yaml", f"train.run={tmp_path / 'run'}", "train.epochs=7")


class TestReady:
    def test_each_content_is_prepared_once(self):
        source = make().input
        cropped_colour.PREPARED.clear()
        raws = [{"bytes": image(number)} for number in (1, 2, 1)]
        first = source.ready(raws)
        assert cropped_colour.PREPARED == [2] and first[0] == first[2] != first[1]
        assert source.ready([{"bytes": black()}, *raws]) == ["nothing but black", *first]
        assert source.ready([{"bytes": black()}]) == ["nothing but black"] and cropped_colour.PREPARED == [2, 1]

    def test_memory_is_bounded(self, monkeypatch):
        from saccade.models.contract import input as module

        source = make().input
        (made,) = source.ready([{"bytes": image(0)}])
        monkeypatch.setattr(module, "MAX_REMEMBERED_BYTES", 3 * len(made["bytes"]))
        cropped_colour.PREPARED.clear()
        for number in (1, 2, 3, 4, 4, 0):
            source.ready([{"bytes": image(number)}])
        assert len(cropped_colour.PREPARED) == 5  # 4 is remembered, 0 no longer

    def test_what_it_raises_is_one_sample_s_reason(self, monkeypatch):
        def failing(self, raws):
            if any(raw["bytes"] == image(2) for raw in raws):
                raise IndexError("no such face")
            return [{"bytes": raw["bytes"]} for raw in raws]

        monkeypatch.setattr(Cropped, "prepare", failing)
        found = make().input.ready([{"bytes": image(number)} for number in (1, 2, 3)])
        assert found[0] == {"bytes": image(1)} and found[2] == {"bytes": image(3)}
        assert found[1].startswith("prepare failed: ") and found[1].endswith("IndexError: no such face")

    @pytest.mark.parametrize(
        ("made", "told"),
        [
            ([], "Cropped.prepare gives 0 answers for 1 samples"),
            ([{"face": b""}], "Cropped.prepare gives face, and 'prepared' says bytes"),
        ],
    )
    def test_what_is_not_as_it_says_is_refused(self, made, told, monkeypatch):
        monkeypatch.setattr(Cropped, "prepare", lambda self, raws: made)
        with pytest.raises(InputError, match=told):
            make().input.ready([{"bytes": image(1)}])

    def test_a_prepare_without_a_version_is_refused(self):
        with pytest.raises(InputError, match='Nameless.prepare has no version.*add prepare_version = "1"'):
            type("Nameless", (ImageInput,), {"prepare": lambda self, raws: raws})

    def test_truth_with_a_place_is_refused(self):
        class Placed(CroppedColour):
            truth = {"mask": Truth("uint8", (None, None), moves="mask")}

        with pytest.raises(InputError, match="Placed: 'mask' has a place in the image, and Cropped.prepare makes"):
            make(Placed).input  # noqa: B018

    def test_one_without_is_as_it_was(self):
        source = ImageInput(ImageOptions(size=16))
        assert source.ready([{"bytes": b"1"}]) == [{"bytes": b"1"}]
        assert source.graph_signatures == source.signatures
