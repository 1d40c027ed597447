"""Cutting splits: stable, complete, by group, and kept where the data defines them."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.models.classification.options import ClassificationOptions
from saccade.models.classification.task import Classification
from saccade.models.contract import Truth
from saccade.models.errors import InputError
from saccade.pipelines.data.formats import find_source
from saccade.pipelines.data.source import DataOptions, Source
from saccade.pipelines.data.splits import check_classes, hash_place, split, split_unchecked


class Listed(Source):
    """A source of given keys, splits, groups and labels: what a user's own may look like."""

    Options = DataOptions

    def __init__(self, keys, splits=None, groups=None, labels=None):
        self.keys, self.splits, self.groups = list(keys), splits or {}, groups or list(keys)
        self.class_names = ["a", "b"] if labels is not None else []
        self._labels = labels

    def truth(self, position):
        return {} if self._labels is None else {"label": np.int32(self._labels[position])}

    def read(self, position):
        raise OSError("splits need no images")


def options(**values) -> DataOptions:
    return DataOptions(source="digits", **values)


def names(source: Source, splits) -> dict[str, set[str]]:
    return {name: {source.keys[at] for at in positions} for name, positions in splits.items()}


MANY = [f"{n:05d}.png" for n in range(5000)]
KEYS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), unique=True, max_size=40)
SHARE = st.floats(0, 0.45)


def test_place_is_blake2b():
    digest = hashlib.blake2b("ants/ü.jpg".encode(), digest_size=8).hexdigest()
    assert abs(hash_place("ants/ü.jpg") - int(digest, 16) / 2**64) < 1e-15


def test_shares_are_met():
    splits = split(Listed(MANY), options(validation=0.2, test=0.1))
    counts = {name: len(positions) for name, positions in splits.items()}
    # four standard deviations of a binomial of 5000
    assert abs(counts["validation"] - 1000) < 4 * np.sqrt(5000 * 0.2 * 0.8)
    assert abs(counts["test"] - 500) < 4 * np.sqrt(5000 * 0.1 * 0.9)
    assert sum(counts.values()) == 5000


def test_places_are_even():
    places = [hash_place(key) for key in MANY]
    assert 0 <= min(places) and max(places) < 1
    distance = np.abs(np.sort(places) - (np.arange(5000) + 0.5) / 5000).max()
    assert distance < 1.95 / np.sqrt(5000)  # Kolmogorov-Smirnov at 0.1 %


@given(KEYS, KEYS, SHARE, SHARE, st.randoms(use_true_random=False))
def test_adding_and_reordering_moves_nothing(keys, more, validation, test, random):
    before, after = list(MANY[:200]) + keys, list(dict.fromkeys([*more, *MANY[:200], *keys]))
    random.shuffle(after)
    chosen = options(validation=max(validation, 0.1), test=test)
    old, new = (names(source, split(source, chosen)) for source in (Listed(before), Listed(after)))
    for name in old:
        assert old[name] == new[name] & set(before)


@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=1, max_size=60))
def test_every_sample_once_and_groups_whole(letters):
    groups = letters + MANY[:60]
    source = Listed([f"k{n}" for n in range(len(groups))], groups=groups)
    splits = split(source, options(validation=0.3, test=0.3))
    assert list(splits) == ["train", "validation", "test"]
    assert sorted(np.concatenate(list(splits.values())).tolist()) == list(range(len(groups)))
    of_group = [{groups[at] for at in positions} for positions in splits.values()]
    assert not of_group[0] & of_group[1] and not of_group[0] & of_group[2] and not of_group[1] & of_group[2]
    assert all(positions.dtype == np.int64 and (np.diff(positions) > 0).all() for positions in splits.values())


def test_own_splits_are_kept_whole():
    own = {"train": [4, 0], "validation": [1], "test": [2, 3]}
    splits = split(Listed(MANY[:5], own), options())
    assert {name: each.tolist() for name, each in splits.items()} == {
        "train": [0, 4],
        "validation": [1],
        "test": [2, 3],
    }


def test_test_is_cut_from_train_where_only_validation_is_given():
    own = {"train": list(range(4000)), "validation": list(range(4000, 5000))}
    splits = split(Listed(MANY, own), options(test=0.1))
    assert splits["validation"].tolist() == own["validation"]
    assert 300 < len(splits["test"]) < 500 and set(splits["test"]) | set(splits["train"]) == set(own["train"])
    assert all(hash_place(MANY[at]) < 0.1 for at in splits["test"])
    assert not len(split(Listed(MANY, own), options(test=0))["test"])


def test_validation_is_cut_where_only_test_is_given():
    own = {"test": list(range(1000))}  # a split of train is what is left
    splits = split(Listed(MANY, own), options(validation=0.2))
    assert splits["test"].tolist() == own["test"]
    assert 700 < len(splits["validation"]) < 900 and len(splits["train"]) + len(splits["validation"]) == 4000


def test_cut_test_does_not_move_when_validation_grows():
    source = Listed(MANY)
    assert (
        split(source, options(validation=0.1))["test"].tolist()
        == split(source, options(validation=0.5))["test"].tolist()
    )


@pytest.mark.parametrize(
    ("source", "said", "told"),
    [
        (Listed(MANY[:3]), {"validation": 0}, "the validation split of 3 samples is empty, and training needs one"),
        (Listed(MANY[:3], {"validation": [0], "test": [1, 2]}), {}, "the train split of 3 samples is empty"),
        (Listed(MANY[:3], {"train": [0], "val": [1]}), {}, "unknown split 'val': known: test, train, validation"),
    ],
)
def test_splits_that_cannot_be(source, said, told):
    with pytest.raises(InputError, match=told):
        split(source, options(**said))


def test_empty_test_split_is_a_warning(caplog):
    split(Listed(MANY[:3], {"train": [0, 1], "validation": [2]}), options(test=0.0001))
    assert "the test split of 3 samples is empty" in caplog.text


class Written(Listed):
    """Texts of some writers, whom truth names; the keys tell nothing of them."""

    def truth(self, position):
        return {"writer": f"w{position // 7}".encode()}


class ByWriter(Classification):
    truth = {"writer": Truth("string", role="group")}


def test_groups_that_truth_names_stay_together():
    """In a job that checks the data, where the check has read the truth, and in one that reads it now."""
    source = Written(MANY[:700])
    task = ByWriter((), ClassificationOptions(name="lenet"))
    chosen = options(validation=0.3, test=0.2)
    splits = split_unchecked(source, task, chosen)
    writers = [{position // 7 for position in positions.tolist()} for positions in splits.values()]
    assert all(len(each) > 5 for each in writers)
    assert sum(map(len, writers)) == len(set.union(*writers)) == 100
    groups = [f"w{position // 7}" for position in range(700)]
    for name, positions in split(source, chosen, groups).items():
        np.testing.assert_array_equal(positions, splits[name])
    torn = Written(MANY[:14], {"train": list(range(10)), "validation": list(range(10, 14))})
    with pytest.raises(InputError, match="group 'w1' stands in the data's own splits train and validation"):
        split_unchecked(torn, task, options(test=0))


def test_a_group_in_two_own_splits():
    source = Listed(MANY[:3], {"train": [0, 1], "validation": [2]}, groups=["p1", "p2", "p1"])
    with pytest.raises(InputError, match=r"group 'p1' stands in .* splits train and validation .*data\.leaks=allow"):
        split(source, options())
    assert len(split(source, options(leaks="allow", test=0))["train"]) == 2


def test_a_class_without_train_samples():
    splits = {"train": np.array([0, 1]), "validation": np.array([2]), "test": np.array([3])}
    told = (
        "class 'b' has no sample in the train split of 2; it has 1 in validation and 1 in test: add samples, or "
        "leave the class out"
    )
    with pytest.raises(InputError) as error:
        check_classes(splits, {0: (0,), 1: (0,), 2: (1,), 3: (1,)}, ["a", "b"])
    assert str(error.value) == told


def test_classes_of_several_labels():
    positions = {"train": np.array([0, 1]), "validation": np.array([2])}
    classes = {0: (0,), 1: (0, 1), 2: ()}
    check_classes(positions, classes, ["a", "b"])
    with pytest.raises(InputError, match="class 'c' has no sample in the train split of 2; it has none at all"):
        check_classes(positions, classes, ["a", "b", "c"])


def test_digits_keep_their_splits():
    """The places of these keys must never change: metrics of former runs would not compare."""
    source = find_source("digits")(options(), {"label": Truth("int32")})
    splits = split(source, options())
    assert {name: len(positions) for name, positions in splits.items()} == {
        "train": 1424,
        "validation": 199,
        "test": 174,
    }
    assert splits["test"][:3].tolist() == [at for at in range(1797) if hash_place(f"digits/{at:04d}") < 0.1][:3]
