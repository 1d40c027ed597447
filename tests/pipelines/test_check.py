"""The check of the data, on real files: what is bad, what is odd, what leaks, and what is not read twice."""

import json
import logging
import os
import threading

import numpy as np
import pytest

from saccade.models.classification.options import ClassificationOptions
from saccade.models.classification.task import Classification
from saccade.models.contract import Task, Truth
from saccade.models.errors import InputError, RecipeError
from saccade.models.inputs.image.options import ImageOptions
from saccade.pipelines.data.check import check, digest_of
from saccade.pipelines.data.data import Findings, log_bad
from saccade.pipelines.data.formats import find_source
from saccade.pipelines.data.formats.folder import Folder, FolderOptions
from saccade.pipelines.data.source import DataOptions
from saccade.pipelines.data.splits import split

NO_IMAGE = "not an image saccade reads (JPEG, PNG, GIF, BMP, WebP)"


class Unlabelled(Classification):
    """Looks at images alone."""

    truth = {}


def task(kind=Unlabelled, names=("a", "b")) -> Task:
    return kind(names, ClassificationOptions(name="lenet"), ImageOptions(size=32))


class Reads(Folder):
    """A folder that remembers what was read, and may be interrupted by Ctrl-C at one of them."""

    interrupt_at: int | None = None

    def __init__(self, path, truth=None, **options):
        self.options = FolderOptions(source="folder", path=str(path), **options)
        super().__init__(self.options, truth)
        self.read_positions: list[int] = []

    def read(self, position: int):
        self.read_positions.append(position)
        return super().read(position)

    def where(self, position: int) -> str:
        """Called for each result that is taken in, too: there Ctrl-C arrives, in the main thread, as Python does it."""
        stopped = self.interrupt_at is not None and len(self.read_positions) >= self.interrupt_at
        if stopped and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return super().where(position)


def thirds(source) -> dict[str, np.ndarray]:
    """Train, validation and test by the folder that a key begins with."""
    return {
        name: np.array([at for at, key in enumerate(source.keys) if key.startswith(name)], np.int64)
        for name in ("train", "validation", "test")
    }


def checked(source, cache=None) -> Findings:
    return Findings(thirds(source), check(source, task(), cache).samples)


def fingerprint(source) -> str:
    return checked(source).fingerprint(source.keys)


@pytest.fixture
def data(draw):
    return draw(
        *(f"{name}/{n}.{kind}" for name in ("train", "validation", "test") for n in (1, 2) for kind in ("png", "jpg"))
    )


def test_good_data(data):
    found = checked(Reads(data))
    assert (found.bad, found.notes, found.leaks, found.duplicates) == ({}, {}, [], 0)
    digests = {each.digest for each in found.samples.values()}
    assert len(digests) == 12 and found.samples[0].digest == digest_of({"bytes": (data / "test/1.jpg").read_bytes()})
    assert {name: len(each) for name, each in found.usable().items()} == {"train": 4, "validation": 4, "test": 4}
    found.refuse(Reads(data), DataOptions(source="folder"))


def test_every_kind_of_bad_image(data):
    (data / "train/text.jpg").write_text("I am no image")
    (data / "train/empty.png").write_bytes(b"")
    (data / "test/1.jpg").write_bytes((data / "test/1.jpg").read_bytes()[:300])
    (data / "test/2.png").write_bytes((data / "test/2.png").read_bytes()[:300])
    source = Reads(data)
    (data / "validation/1.png").unlink()
    found = checked(source)
    assert {source.keys[at]: why for at, why in found.bad.items()} == {
        "test/1.jpg": "truncated or broken JPEG",
        "test/2.png": "truncated or broken PNG",
        "train/empty.png": "empty: 0 bytes",
        "train/text.jpg": NO_IMAGE,
        "validation/1.png": "No such file or directory",
    }
    assert {name: len(each) for name, each in found.usable().items()} == {"train": 4, "validation": 3, "test": 2}
    assert sum(bool(each.digest) for each in found.samples.values()) == 13


@pytest.mark.parametrize(
    ("budget", "bears"), [(0, False), (1, False), (2, True), (0.1, False), (0.2, True), (1.0, True)]
)
def test_budget(data, budget, bears):
    for name in ("test/1.png", "train/2.png"):
        (data / name).write_text("no image")
    source = Reads(data, max_bad=budget)
    found = checked(source)
    if bears:
        found.refuse(source, source.options)
        return
    with pytest.raises(InputError) as error:
        found.refuse(source, source.options)
    said = f"{100 * budget:g} % of all" if isinstance(budget, float) else f"{budget}"
    assert str(error.value) == (
        f"2 of 12 samples cannot be used, and data.max_bad bears {said}: {data}/test/1.png: {NO_IMAGE}; "
        f"{data}/train/2.png: {NO_IMAGE}: repair or remove them, or say data.max_bad=2"
    )


def test_only_three_bad_files_are_named(data):
    for name in ("test/1.png", "test/2.png", "train/1.png", "train/2.png"):
        (data / name).write_text("no image " + name)
    source = Reads(data)
    with pytest.raises(
        InputError, match=r"^4 of 12 .*test/1.png.*test/2.png.*train/1.png: not an image.*; \.\.\.: repair"
    ):
        checked(source).refuse(source, source.options)


def test_wrong_extensions_are_noted_and_do_no_harm(data, caplog):
    (data / "train/1.png").rename(data / "train/9.jpg")
    source = Reads(data)
    with caplog.at_level(logging.INFO):
        found = checked(source)
    assert {source.keys[at]: note for at, note in found.notes.items()} == {"train/9.jpg": "a PNG named .jpg"}
    found.log(source, 12)
    assert not found.bad and "train/9.jpg: a PNG named .jpg" in caplog.text


def test_the_first_bad_images_are_named_in_the_log(data, caplog):
    names = [f"{split}/{n}.{kind}" for split in ("test", "train") for n in (1, 2) for kind in ("jpg", "png")][:7]
    for name in names:
        (data / name).write_text("no image")
    source = Reads(data)
    found = checked(source)
    assert "left out" not in caplog.text  # as long as nobody knows whether the job goes on
    caplog.clear()
    log_bad(dict(list(found.bad.items())[:5]), source, "a file")
    assert caplog.messages == [f"{data}/{name}: {NO_IMAGE}: left out" for name in names[:5]]
    caplog.clear()
    log_bad(found.bad, source, "quarantine.jsonl of the run")
    assert caplog.messages[4:] == [
        f"{data}/train/1.jpg: {NO_IMAGE}: left out",
        "and 2 more are left out: quarantine.jsonl of the run names them all",
    ]


def test_a_wrong_recipe_is_nothing_to_set_a_sample_aside_for(data):
    class Wrong(Reads):
        def truth(self, position):
            raise RecipeError("name the classes") if position == 7 else InputError("no mask")

    source = Wrong(data)
    with pytest.raises(RecipeError, match="^name the classes$"):
        check(source, task(Classification))


def test_leaks_and_duplicates(data):
    image = (data / "train/1.png").read_bytes()
    for name in ("train/1_again", "validation/copy", "validation/copy_again", "test/copy"):
        (data / f"{name}.png").write_bytes(image)
    for name in ("train/bad", "test/bad"):  # equal, and left out both: no leak
        (data / f"{name}.png").write_bytes(b"bad")
    source = Reads(data)
    found = checked(source)
    assert [(source.keys[one], source.keys[other]) for one, other in found.leaks] == [
        ("train/1.png", "validation/copy.png"),
        ("train/1.png", "validation/copy_again.png"),
        ("train/1.png", "test/copy.png"),
    ]
    assert found.duplicates == 2
    with pytest.raises(InputError) as error:
        found.refuse(source, DataOptions(source="folder", max_bad=2))
    assert str(error.value) == (
        "identical files in two splits, 2 in train and validation, 1 in train and test (first "
        f"{data}/train/1.png (train) and {data}/validation/copy.png (validation)): metrics would look better than they "
        "are: remove one of each, or say data.leaks=allow"
    )
    found.refuse(source, DataOptions(source="folder", max_bad=2, leaks="allow"))


def test_fingerprint_is_of_keys_and_bytes(data):
    before = fingerprint(Reads(data))
    for file in data.rglob("*.*"):
        os.utime(file, ns=(1, 1))
    assert fingerprint(Reads(data)) == before
    (data / "train/1.png").rename(data / "train/3.png")
    renamed = fingerprint(Reads(data))
    (data / "train/3.png").write_bytes((data / "train/2.png").read_bytes())
    assert len({before, renamed, fingerprint(Reads(data))}) == 3


def test_what_did_not_change_is_not_read_again(data, tmp_path):
    cache = tmp_path / "cache/check.json"
    (data / "train/1.png").rename(data / "train/9.jpg")
    first = checked(Reads(data), cache)
    again = Reads(data)
    second = checked(again, cache)
    assert again.read_positions == []
    assert second.samples == first.samples and "a PNG named .jpg" in second.notes.values()

    (data / "test/2.png").write_bytes((data / "test/1.png").read_bytes())
    changed = Reads(data)
    assert checked(changed, cache).duplicates == 1
    assert [changed.keys[at] for at in changed.read_positions] == ["test/2.png"]
    assert [file.name for file in cache.parent.iterdir()] == ["check.json"]


def test_bad_images_are_tried_again(data, tmp_path):
    cache = tmp_path / "check.json"
    (data / "train/1.png").write_text("no image")
    assert len(checked(Reads(data), cache).bad) == 1
    again = Reads(data)
    assert len(checked(again, cache).bad) == 1
    assert [again.keys[at] for at in again.read_positions] == ["train/1.png"]


def test_two_data_sets_share_a_cache(data, draw, tmp_path):
    cache = tmp_path / "check.json"
    other = draw("other/train/1.png", "other/test/1.png", "other/validation/1.png") / "other"
    checked(Reads(data), cache)
    checked(Reads(other), cache)
    again = Reads(data)
    checked(again, cache)
    assert again.read_positions == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"reader": 1}', '{"samples": {}}', b"\xff"])
def test_a_broken_cache_costs_time_only(data, tmp_path, content, caplog):
    cache = tmp_path / "check.json"
    cache.write_bytes(content if isinstance(content, bytes) else content.encode())
    source = Reads(data)
    assert len(checked(source, cache).samples) == len(source.read_positions) == 12
    assert json.loads(cache.read_text())["samples"]


def test_broken_entries_of_a_cache(data, tmp_path, caplog):
    cache = tmp_path / "check.json"
    checked(Reads(data), cache)
    content = json.loads(cache.read_text())
    cache.write_text(json.dumps(content | {"samples": {"x": 3}}))
    source = Reads(data)
    checked(source, cache)
    assert len(source.read_positions) == 12 and "not readable as the memory of a former check" in caplog.text


def test_another_reader_starts_anew(data, tmp_path):
    cache = tmp_path / "check.json"
    checked(Reads(data), cache)
    content = json.loads(cache.read_text())
    cache.write_text(json.dumps(content | {"reader": "0 tensorflow 1.0"}))
    source = Reads(data)
    checked(source, cache)
    assert len(source.read_positions) == 12


def test_a_cache_that_cannot_be_written(data, caplog):
    assert not checked(Reads(data), data / "train/1.png/check.json").bad
    assert "the check is not remembered: " in caplog.text


def test_ctrl_c_keeps_what_was_done(draw, tmp_path):
    root = draw(*(f"train/{n}.png" for n in range(200)))
    cache = tmp_path / "check.json"
    source = Reads(root)
    source.interrupt_at = 150
    with pytest.raises(KeyboardInterrupt):
        checked(source, cache)
    again = Reads(root)
    assert len(checked(again, cache).samples) == 200
    assert 0 < len(again.read_positions) < 200  # fewer than 50 were under way


def test_sources_without_files_are_read_every_time(tmp_path):
    options = DataOptions(source="digits")
    source = find_source("digits")(options, {"label": Truth("int32")})
    found = Findings(split(source, options), check(source, task(Classification), tmp_path / "check.json").samples)
    assert len(found.samples) == 1797 and not found.bad and not (tmp_path / "check.json").exists()
    found.refuse(source, options)


def test_ants_and_bees(data_dir):
    options = FolderOptions(source="folder", path=str(data_dir / "classification/hymenoptera"))
    source = Folder(options, {"label": Truth("int32")})
    found = Findings(split(source, options), check(source, task(Classification)).samples)
    assert len(found.samples) == 398 and not found.bad
    found.refuse(source, options)


@pytest.mark.parametrize("kind", [object, "S", "U"], ids=str)
def test_texts_in_an_array_are_hashed_by_their_content(kind):
    """An array of objects holds addresses, which no other process has."""
    texts = ["rose", "a" * 500, ""]

    def made(texts):
        return {"words": np.array(["".join(list(each)) for each in texts], kind), "key": "k"}

    assert digest_of(made(texts)) == digest_of(made(texts))
    assert (
        len({digest_of(made(each)) for each in (texts, texts[::-1], ["rosea", *texts[1:]], ["ros", *texts[1:]])}) == 4
    )


def test_classes_and_groups_are_remembered(tmp_path, data):
    class Grouped(Reads):
        def truth(self, position):
            return {"labels": np.array([position % 2, 1], np.float32), "writer": f"w{position % 3}"}

    class Asked(Unlabelled):
        truth = {"labels": Truth("float32", (2,), role="multi_hot"), "writer": Truth("string", role="group")}

    first = check(Grouped(data), task(Asked), tmp_path / "check.json")
    again = check(Grouped(data), task(Asked), tmp_path / "check.json")
    assert again.read == 0 and again.samples == first.samples
    assert {(each.classes, each.group) for each in first.samples.values()} >= {((1,), "w0"), ((0, 1), "w1")}
