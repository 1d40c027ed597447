"""What every network must do, whatever its task: a new one is a subclass of a few lines."""

import keras
import numpy as np
import pytest
import tensorflow as tf


class BaseNetworkTest:
    """A subclass says how its task is made, and what it looks like on a batch.

    Attributes:
        sizes: two heights and widths in pixels; the first is trained on.
        any_size: whether one model takes both.
    """

    sizes = ((32, 32), (64, 96))
    any_size = False

    def task(self, size):
        """The task with this network, for images of a size; None where it follows the image."""
        raise NotImplementedError

    def truth(self, images):
        """Truth of a batch of images float32 `[n, height, width, 3]`, by name."""
        raise NotImplementedError

    def output(self, images):
        """The shape of the model's float32 output for them; of a structure of outputs, their structure."""
        raise NotImplementedError

    def make(self, size):
        return self.task(None if self.any_size else size)

    @pytest.fixture(scope="class")
    @classmethod
    def task_and_model(cls):
        keras.utils.set_random_seed(0)
        task = cls().make(cls.sizes[0])
        return task, task.model()

    @pytest.fixture
    def model(self, task_and_model):
        """One for all tests, with the weights that it began with."""
        model = task_and_model[1]
        kept = model.get_weights()
        yield model
        model.set_weights(kept)

    @pytest.fixture
    def images(self, random_images):
        """Four: batch norm of two takes a shift away to the last bit, so that nothing before it would learn one."""
        return random_images(4, *self.sizes[0])

    def test_shapes_at_two_sizes(self, model, random_images):
        for size in self.sizes:
            images = random_images(2, *size)
            made = model if self.any_size or size == self.sizes[0] else self.make(size).model()
            assert shapes_of(made(images, training=False)) == self.output(images)

    def test_one_step_moves_every_trainable_weight(self, task_and_model, model, images):
        before = [weight.numpy() for weight in model.trainable_weights]
        assert np.isfinite(self.step(task_and_model[0], model, images))
        after = zip(model.trainable_weights, before, strict=True)
        assert not [weight.path for weight, old in after if np.array_equal(weight, old)]

    def test_weights_are_saved_and_loaded(self, model, images, tmp_path):
        model.save_weights(tmp_path / "own.weights.h5")
        again = self.make(self.sizes[0]).model()
        again.load_weights(tmp_path / "own.weights.h5")
        for ours, theirs in zip(flat(model, images), flat(again, images), strict=True):
            np.testing.assert_allclose(theirs, ours, atol=1e-6)

    def test_stages_and_split_are_consistent(self, model, images):
        """Stages hold each trainable variable once; the parts of a split, where there is one, are the model's own."""
        stages = model.stages()
        flat = [id(variable) for variables in stages.values() for variable in variables]
        assert sorted(flat) == sorted(id(variable) for variable in model.trainable_variables)
        assert list(stages)[-1] == "head" and stages["head"]
        if hasattr(model, "split"):
            features, head = model.split()
            outputs = head(features(images, training=False), training=False)
            np.testing.assert_allclose(outputs, model(images, training=False), atol=1e-5)
            both = {id(weight) for weight in [*features.weights, *head.weights]}
            assert head.weights and both == {id(weight) for weight in model.weights}

    def test_outputs_stay_in_float32_under_mixed_precision(self, images):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            task = self.make(self.sizes[0])
            model = task.model()
        finally:
            keras.config.set_dtype_policy("float32")
        kinds = {each.compute_dtype for each in model.layers if isinstance(each, keras.layers.Conv2D)}
        assert "bfloat16" in kinds and {each.dtype for each in keras.tree.flatten(model(images))} == {tf.float32}
        assert np.isfinite(self.step(task, model, images))

    def step(self, task, model, images):
        """One training step; the loss. Lion's steps do not depend on how large a gradient is."""
        model.compile(optimizer=keras.optimizers.Lion(1e-3), run_eagerly=True)
        return model.train_on_batch(*task.targets({"image": images, **self.truth(images)}), return_dict=True)["loss"]


def shapes_of(outputs):
    assert {each.dtype for each in keras.tree.flatten(outputs)} == {tf.float32}
    return keras.tree.map_structure(lambda each: tuple(each.shape), outputs)


def flat(model, images):
    return keras.tree.flatten(model(images, training=False))
