"""What every network for segmentation must do. A new one adds two lines."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from base_network import BaseNetworkTest

from saccade.models.naming import make_importable
from saccade.models.segmentation import NETWORKS
from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions
from saccade.models.segmentation.task import Segmentation

make_importable(Path(__file__).parent)
OWN = "own_segmentation:backbone"
NAMES = ("sky", "tree", "house")


def make(size=None, **options):
    image = SegmentationInput() if size is None else SegmentationInput(size=size, fit="stretch")
    return Segmentation(NAMES, SegmentationOptions(**options), image)


class SegmentationNetworkTest(BaseNetworkTest):
    sizes = ((64, 64), (32, 96))
    any_size = True
    options: dict

    def task(self, size):
        return make(size, **self.options, dropout=0.1)

    def truth(self, images):
        return {"mask": (images[..., 0] % 3).astype(np.uint8)}

    def output(self, images):
        return (*images.shape[:3], 3)

    def test_stages_follow_the_levels_of_the_backbone(self, model):
        assert list(model.stages()) == [*model.backbone.levels, "head"]

    def test_scores_every_pixel_alike_when_exported(self, model, random_images, tmp_path):
        module = tf.Module()
        module.model = model
        module.call = tf.function(lambda images: model(images, training=False), [tf.TensorSpec([None, None, None, 3])])
        tf.saved_model.save(module, str(tmp_path / "saved"))
        saved = tf.saved_model.load(str(tmp_path / "saved"))
        for size in self.sizes:
            images = random_images(1, *size)
            np.testing.assert_allclose(saved.call(images), module.call(images), atol=1e-5)


class TestUNet(SegmentationNetworkTest):
    options = {"name": "unet", "width": 4}


class TestResizedUNet(SegmentationNetworkTest):
    options = {"name": "unet", "width": 4, "depth": 2, "upsampling": "resized"}


class TestUNetOnABackbone(SegmentationNetworkTest):
    options = {"name": "unet", "backbone": OWN}


class TestFCN8s(SegmentationNetworkTest):
    options = {"name": "fcn8s", "backbone": OWN}


class TestFCN16s(SegmentationNetworkTest):
    options = {"name": "fcn16s", "backbone": OWN}


class TestFCN32s(SegmentationNetworkTest):
    options = {"name": "fcn32s", "backbone": OWN}


class TestSegNet(SegmentationNetworkTest):
    options = {"name": "segnet", "width": 4}


class TestDeepLabV3Plus(SegmentationNetworkTest):
    options = {"name": "deeplab_v3plus", "backbone": OWN}


def test_the_papers_unet_has_as_many_weights_as_one_counts():
    """Figure 1 of the paper, with batch norm's four values a channel in place of the convolutions' biases."""

    def convolution(taken, given):
        return 9 * taken * given + 4 * given

    def two(taken, given):
        return convolution(taken, given) + convolution(given, given)

    down = two(3, 64) + two(64, 128) + two(128, 256) + two(256, 512) + two(512, 1024)
    up = sum(4 * 2 * width * width + width + two(2 * width, width) for width in (512, 256, 128, 64))
    assert make(32).model().count_params() == down + up + 64 * len(NAMES) + len(NAMES)


@pytest.mark.parametrize("name", [name for name, network in NETWORKS.items() if network.parameters])
def test_the_table_tells_the_truth(name):
    known = NETWORKS[name]
    model = make(known.minimum, name=name).model()
    without_top = sum(layer.count_params() for layer in model.layers if not layer.name.startswith("logits"))
    assert without_top == known.parameters
    assert tuple(model.backbone.levels) == known.strides
    assert model.stride == known.multiple == known.minimum


def test_the_table_knows_what_depends_on_the_backbone():
    known = NETWORKS["deeplab_v3plus"]
    model = make(known.minimum, **TestDeepLabV3Plus.options).model()
    assert (known.parameters, known.strides) == (None, ())
    assert model.stride == known.multiple == known.minimum
