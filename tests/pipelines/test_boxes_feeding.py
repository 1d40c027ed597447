"""Boxes through the whole training pipeline: read, augmented, fitted, batched; each stays on its own colour."""

import io

import numpy as np
import pytest
from PIL import Image

from saccade.augment import Augmenter
from saccade.models.detection.options import DetectionInput, DetectionOptions
from saccade.models.detection.task import Detection
from saccade.pipelines.data.source import ImageSource
from saccade.pipelines.feeding.batches import batches_of_samples
from saccade.pipelines.feeding.order import Order
from saccade.pipelines.feeding.reading import reader

SIZES = [(64, 96), (80, 50), (120, 120), (45, 130), (100, 64), (70, 70), (33, 90), (128, 60)]


def colour(number):
    return np.array([255, 12 * (number + 1), 6 * (number + 1)], np.uint8)


class Rectangles(ImageSource):
    """Two rectangles in each image, but none in the last; a class has one colour and is seen once."""

    def __init__(self):
        self.class_names = tuple(f"object {number}" for number in range(2 * len(SIZES)))
        self.keys = [f"image {number}" for number in range(len(SIZES))]
        self.groups, self.splits = self.keys, {}

    def truth(self, position):
        height, width = SIZES[position]
        boxes = np.array([[4, 5, width // 2 - 3, height - 9], [width // 2 + 2, 9, width - 5, height - 2]], np.float32)
        classes = 2 * position + np.arange(2, dtype=np.int32)
        truth = {"boxes": boxes, "classes": classes, "crowd": classes % 2, "difficult": classes // 2 % 2}
        if position == len(SIZES) - 1:
            truth = {name: value[:0] for name, value in truth.items()}
        return truth | {"area": (truth["boxes"][:, 2:] - truth["boxes"][:, :2]).prod(axis=1)}

    def encoded(self, position):
        image, truth = np.zeros((*SIZES[position], 3), np.uint8), self.truth(position)
        for (x_min, y_min, x_max, y_max), kind in zip(truth["boxes"].astype(int), truth["classes"], strict=True):
            image[y_min:y_max, x_min:x_max] = colour(kind)
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        return stream.getvalue()


STEPS = {
    "Mosaic": {"target_size": [110, 120], "cell_shape": [100, 100], "interpolation": 0, "p": 0.7},
    "SSDRandomCrop": {"p": 0.6},
    "HorizontalFlip": {"p": 0.5},
}


@pytest.fixture(scope="module")
def seen():
    """`seen(epoch, skip, chosen)`: by key and n, image, boxes, classes, crowd, difficult of each sample of an epoch."""
    source = Rectangles()
    inputs = DetectionInput(size=None, fit="pad", stride=32, fill=0)
    task = Detection(source.class_names, DetectionOptions(), inputs)
    moves = {name: each.moves for name, each in task.truth.items() if each.trains}
    augmenter = Augmenter([{name: arguments} for name, arguments in STEPS.items()], moves)
    positions = np.arange(len(SIZES))
    read = reader(task, source, positions, 2**20, keep_loaded=True)

    def epoch(number=0, skip=0, batch=4):
        order = Order(positions, 3, lambda random: random.permutation(np.repeat(positions, 4)), 3, source.keys)
        order.start(number, skip)
        found = {}
        for each in batches_of_samples(task, order, read, augmenter, batch, 3).as_numpy_iterator():
            for row, (key, n) in enumerate(zip(each["key"], each["n"], strict=True)):
                there = each["classes"][row] >= 0
                assert (each["boxes"][row][~there] == -1).all()
                values = {name: each[name][row][there] for name in ("boxes", "classes", "crowd", "difficult")}
                found[key.decode(), int(n)] = {"image": each["image"][row], **values}
        return found

    return epoch


def test_boxes_lie_on_their_colours_and_take_their_fields_along(seen):
    several, boxes, loose = 0, 0, 0
    for number in range(3):
        for sample in seen(number).values():
            several += len({kind // 2 for kind in sample["classes"].tolist()}) > 1
            np.testing.assert_array_equal(sample["crowd"], sample["classes"] % 2)
            np.testing.assert_array_equal(sample["difficult"], sample["classes"] // 2 % 2)
            for box, kind in zip(sample["boxes"], sample["classes"], strict=True):
                x_min, y_min, x_max, y_max = np.round(box).astype(int)
                if min(x_max - x_min, y_max - y_min) < 4:
                    continue
                own = (sample["image"] == colour(kind)).all(axis=-1)
                x, y = (x_min + x_max) // 2, (y_min + y_max) // 2
                assert own[y_min + 1 : y_max - 1, x_min + 1 : x_max - 1].all()
                around = [own[y, : max(x_min - 2, 0)][-1:], own[y, x_max + 2 :][:1]]
                around += [own[: max(y_min - 2, 0), x][-1:], own[y_max + 2 :, x][:1]]
                loose += any(each.any() for each in around)
                boxes += 1
    assert several > 20 and boxes > 100
    assert loose < 0.03 * boxes  # a Mosaic may lay an image beside itself


def test_a_sample_depends_on_seed_epoch_key_and_n_alone(seen):
    whole, again = seen(1), seen(1, batch=3)
    assert len(whole) == 4 * len(SIZES)
    for key, sample in whole.items():
        for name in ("boxes", "classes", "crowd", "difficult"):
            np.testing.assert_array_equal(sample[name], again[key][name])
    rest = seen(1, skip=10)
    assert len(rest) == len(whole) - 10
    for key, sample in rest.items():
        np.testing.assert_array_equal(sample["boxes"], whole[key]["boxes"])
    assert any(
        not np.array_equal(whole[key, 0]["boxes"], whole[key, n]["boxes"])
        for key in {key for key, _ in whole}
        for n in (1, 2, 3)
    )
    assert any(not np.array_equal(each["boxes"], whole[key]["boxes"]) for key, each in seen(2).items())
