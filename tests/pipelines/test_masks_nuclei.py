"""Object numbers of real masks: the Data Science Bowl's nuclei."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from saccade.models.contract import Truth
from saccade.pipelines.data.formats.masks import Masks, MasksOptions

TRUTH = {"mask": Truth("uint8", (None, None)), "instances": Truth("uint16", (None, None), trains=False)}


@pytest.fixture(scope="module")
def root(data_dir) -> Path:
    return data_dir / "segmentation/dsb2018_nuclei"


def opened(root: Path, **options) -> Masks:
    places = {"path": str(root / "images"), "masks": str(root / "labels")}
    return Masks(MasksOptions(source="masks", **places, **options), TRUTH)


def test_object_numbers_as_they_are_stored(root, caplog):
    source = opened(root)
    assert len(source) == 445 and source.class_names == ["background", "foreground"] and source.splits == {}
    assert "masks: object numbers, 16 bits, up to 111 in one mask: background, foreground" in caplog.text
    counts = []
    for at in range(0, 445, 20):
        truth = source.truth(at)
        with Image.open(root / "labels" / f"{Path(source.keys[at]).stem}.png") as image:
            stored = np.array(image)
        assert (truth["instances"] == stored).all() and (truth["mask"] == (stored > 0)).all()
        with Image.open(io.BytesIO(source.read(at)["bytes"])) as picture:
            assert truth["mask"].shape == picture.size[::-1]
        counts.append(len(np.unique(truth["instances"][truth["mask"] == 1])))
    assert counts[:5] == [27, 53, 9, 60, 16]


def test_a_line_parts_nuclei_that_touch(root):
    """Counted by SciPy: pixels that touch are one object, and separated there are nearly as many as are numbered."""
    joined, parted, known = 0, 0, 0
    whole, separated = opened(root), opened(root, instances="separated")
    for at in range(0, 445, 40):
        truth = whole.truth(at)
        known += int(truth["instances"].max())
        joined += ndimage.label(truth["mask"], np.ones((3, 3)))[1]
        parted += ndimage.label(separated.truth(at)["mask"], np.ones((3, 3)))[1]
    assert joined < parted and abs(parted - known) < (known - joined) / 2


def test_boundaries(root):
    source = opened(root, instances="boundary")
    assert source.class_names == ["background", "interior", "boundary"]
    truth = source.truth(0)
    inside = ndimage.minimum_filter(truth["instances"], 3, mode="nearest") == truth["instances"]
    inside &= ndimage.maximum_filter(truth["instances"], 3, mode="nearest") == truth["instances"]
    expected = np.where(truth["instances"] == 0, 0, np.where(inside, 1, 2))
    assert (truth["mask"] == expected).all()
