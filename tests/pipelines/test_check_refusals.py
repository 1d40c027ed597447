"""Data of which nothing good is left, and what is said of it."""

import numpy as np
import pytest

from saccade.models.errors import InputError
from saccade.pipelines.data.check import Checked
from saccade.pipelines.data.data import Findings
from saccade.pipelines.data.formats.folder import Folder, FolderOptions


@pytest.fixture
def source(draw) -> Folder:
    root = draw(*(f"{split}/{n}.png" for split in ("test", "train", "validation") for n in (1, 2)))
    return Folder(FolderOptions(source="folder", path=str(root)), None)


def refused(source: Folder, bad: list[int], max_bad: float) -> str:
    splits = {"test": np.array([0, 1]), "train": np.array([2, 3]), "validation": np.array([4, 5])}
    found = Findings(splits, {each: Checked(reason="not an image" if each in bad else "") for each in range(6)})
    with pytest.raises(InputError) as error:
        found.refuse(source, FolderOptions(source="folder", path="x", max_bad=max_bad))
    return str(error.value).replace(source.tree.root, "ROOT")


def test_all_images_are_bad(source):
    assert refused(source, list(range(6)), 0.01) == (
        "6 of 6 samples cannot be used, and data.max_bad bears 1 % of all: ROOT/test/1.png: not an image; "
        "ROOT/test/2.png: not an image; ROOT/train/1.png: not an image; ...: repair them, or correct what the data "
        "section says of them"
    )


@pytest.mark.parametrize(("split", "bad"), [("train", [0, 1, 2, 3]), ("validation", [4, 5])])
def test_all_images_of_a_split_are_bad(source, split, bad):
    told = f"none of the 2 samples in {split} can be used, first ROOT/{split}/1.png: not an image"
    assert refused(source, bad, 1.0) == told
