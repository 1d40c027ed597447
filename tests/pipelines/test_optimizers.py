"""Optimizers against Keras' own and against hand-computed steps."""

import keras
import numpy as np
import pixel_task
import pytest
import tensorflow as tf
from keras.ops import convert_to_numpy

from saccade.models.errors import InputError
from saccade.models.predictor import Predictor
from saccade.pipelines.recipe.optimizer_options import (
    Adagrad,
    Adam,
    AdamW,
    Constant,
    Lion,
    Nadam,
    Polynomial,
    RmsProp,
    Sgd,
)
from saccade.pipelines.run import Run
from saccade.pipelines.training.checkpoint import Checkpoint, save_weights
from saccade.pipelines.training.optimizers import check_stages, compile_model, make_optimizer, stage_factors


def made(options, factors=(), schedule=None, steps=10):
    return make_optimizer(options, schedule or Constant(), epochs=1, steps_per_epoch=steps, factors=factors)


def variables(*values) -> list[keras.Variable]:
    return [keras.Variable(np.array(value, "float32"), name="kernel") for value in values]


def steps(optimizer, weights, gradients) -> list[list[np.ndarray]]:
    """The weights after each step with gradients `[step][variable]`."""
    optimizer.build(weights)
    states = []
    for each in gradients:
        optimizer.apply([np.array(gradient, "float32") for gradient in each], weights)
        states.append([convert_to_numpy(weight).copy() for weight in weights])
    return states


GRADIENTS = [[[0.5, -2.0]], [[0.25, 0.0]], [[-1.0, 3.0]]]


@pytest.mark.parametrize(
    ("options", "peer"),
    [
        (Adam(), keras.optimizers.Adam()),
        (AdamW(), keras.optimizers.AdamW(weight_decay=1e-4)),
        (Nadam(), keras.optimizers.Nadam()),
        (Sgd(), keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)),
        (RmsProp(), keras.optimizers.RMSprop()),
        (RmsProp(momentum=0.5, centered=True), keras.optimizers.RMSprop(momentum=0.5, centered=True)),
        (Adagrad(), keras.optimizers.Adagrad()),
        (Lion(), keras.optimizers.Lion(learning_rate=1e-4)),
    ],
    ids=lambda each: each.name,
)
def test_each_is_keras_own_with_its_defaults(options, peer):
    weights, theirs = variables([1.0, 2.0]), variables([1.0, 2.0])
    np.testing.assert_allclose(steps(made(options), weights, GRADIENTS), steps(peer, theirs, GRADIENTS), rtol=1e-6)


def test_settings_arrive():
    optimizer = made(Sgd(learning_rate=0.5, momentum=0.7, nesterov=False))
    assert isinstance(optimizer, keras.optimizers.SGD)
    assert (optimizer.momentum, optimizer.nesterov, float(optimizer.learning_rate)) == (0.7, False, 0.5)
    assert isinstance(made(AdamW(weight_decay=0.0)), keras.optimizers.AdamW)


DECAYED = (Sgd, Adam, AdamW, Nadam, RmsProp, Adagrad, Lion)


@pytest.mark.parametrize("kind", DECAYED, ids=lambda kind: kind.__name__)
def test_weight_decay_leaves_biases_and_normalisation_out(kind):
    options = kind(weight_decay=0.1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    model.layers[0].bias.assign([1.0, 1.0, 1.0])
    optimizer = made(options)
    optimizer.build(model.trainable_variables)
    before = [convert_to_numpy(each).copy() for each in model.trainable_variables]
    optimizer.apply([np.zeros_like(each) for each in before], model.trainable_variables)
    kernel, *others = (convert_to_numpy(each) for each in model.trainable_variables)
    np.testing.assert_allclose(kernel, before[0] * (1 - 0.1 * options.learning_rate), rtol=1e-5)
    for new, old in zip(others, before[1:], strict=True):
        np.testing.assert_array_equal(new, old)


PLAIN = {"learning_rate": 0.1, "momentum": 0.0, "nesterov": False}


def test_the_norm_of_all_gradients_together_is_clipped():
    optimizer = made(Sgd(**PLAIN, clip_norm=1.0))
    weights = variables([0.0], [0.0])
    first, second = steps(optimizer, weights, [[[3.0], [4.0]], [[0.3], [0.4]]])
    np.testing.assert_allclose(first, [[-0.06], [-0.08]], rtol=1e-5)  # of norm 5, scaled to 1
    np.testing.assert_allclose(second, [[-0.09], [-0.12]], rtol=1e-5)  # of norm 0.5, as it is


def test_each_gradient_is_clipped():
    (state,) = steps(made(Sgd(**PLAIN, clip_value=0.5)), variables([0.0, 0.0]), [[[3.0, -0.1]]])
    np.testing.assert_allclose(state, [[-0.05, 0.01]], rtol=1e-5)


def test_accumulated_gradients_are_averaged_then_clipped():
    gradients = [[[3.0]], [[1.0]], [[5.0]], [[0.5]], [[-0.5]], [[1.5]]]
    states = steps(made(Sgd(**PLAIN, accumulate=3, clip_norm=1.0)), variables([0.0]), gradients)
    np.testing.assert_allclose(np.ravel(states), [0, 0, -0.1, -0.1, -0.1, -0.15], rtol=1e-5)


def test_a_schedule_counts_steps_and_adam_counts_updates_where_gradients_are_accumulated():
    schedule = Polynomial(warmup=0.4)  # of ten steps: four of them
    twice = made(Adam(learning_rate=1.0, accumulate=2), schedule=schedule)
    states = steps(twice, variables([0.0]), [[[1.0]]] * 4)
    # Adam's first updates with one and the same gradient are as long as the rate: at steps 1 and 3, that is
    # 0.9 * 2/4 and 0.7 * 4/4
    np.testing.assert_allclose(np.ravel(states), [0, -0.45, -0.45, -1.15], rtol=1e-4)


def average_by_hand(values, momentum) -> list[float]:
    average, averages = values[0], []
    for update, value in enumerate(values[1:], 1):
        now = min(momentum, (1 + update) / (10 + update))
        average = now * average + (1 - now) * value
        averages.append(average)
    return averages


def averaged(optimizer, weight) -> float:
    before = convert_to_numpy(weight).copy()
    with optimizer.averaged():
        value = float(convert_to_numpy(weight)[0])
    np.testing.assert_array_equal(weight, before)
    return value


@pytest.mark.parametrize("run", [lambda function: function, tf.function], ids=["eager", "graph"])
def test_the_average_of_the_weights(run):
    optimizer, (weight,) = made(Sgd(**PLAIN, ema=0.5)), variables([1.0])
    optimizer.build([weight])
    assert averaged(optimizer, weight) == 1.0
    values, found = [1.0], []
    apply = run(lambda gradient: optimizer.apply([gradient], [weight]))
    for gradient in np.random.default_rng(0).normal(size=12):  # from the eighth update on the momentum is 0.5
        apply(tf.constant([gradient], "float32"))
        values.append(float(convert_to_numpy(weight)[0]))
        found.append(averaged(optimizer, weight))
    np.testing.assert_allclose(found, average_by_hand(values, 0.5), rtol=1e-5)


def test_the_average_moves_with_updates_not_with_steps():
    optimizer, (weight,) = made(Sgd(**PLAIN, ema=0.9, accumulate=2)), variables([1.0])
    optimizer.build([weight])
    found = []
    for _ in range(6):
        optimizer.apply([np.array([1.0], "float32")], [weight])
        found.append(averaged(optimizer, weight))
    first, second, third = average_by_hand([1.0, 0.9, 0.8, 0.7], 0.9)
    np.testing.assert_allclose(found, [1.0, first, first, second, second, third], rtol=1e-5)


def test_without_an_average_the_weights_are_the_plain_ones():
    optimizer, (weight,) = made(Sgd(**PLAIN)), variables([1.0])
    steps(optimizer, [weight], [[[1.0]]])
    assert averaged(optimizer, weight) == pytest.approx(0.9)
    assert len(optimizer.variables) == 2  # the step and the learning rate: nothing is kept for what is off


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("kind", [Sgd, Nadam])
def test_all_of_it_inside_fit(kind, mixed):
    """In float16 Keras wraps the optimizer, scales the loss, and leaves out updates that are no numbers."""
    options = kind(clip_norm=1.0, ema=0.9, accumulate=2, weight_decay=0.01)
    x, y = np.random.default_rng(0).normal(size=(16, 4)).astype("float32"), np.ones((16, 1), "float32")
    policy = "mixed_float16" if mixed else "float32"
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, dtype=policy)])
    model.dtype_policy = policy
    optimizer = made(options, factors=[0.0, 1.0])
    model.compile(optimizer=optimizer, loss="mse")
    optimizer.build(model.trainable_variables)
    model.optimizer.build(model.trainable_variables)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == mixed
    kernel, bias = (convert_to_numpy(each).copy() for each in model.trainable_variables)
    model.fit(x, y, batch_size=2, epochs=1, verbose=0)
    np.testing.assert_array_equal(model.trainable_variables[0], kernel)
    assert int(optimizer.iterations) == 4 or mixed and int(optimizer.iterations) > 0
    assert not np.array_equal(model.trainable_variables[1], bias)
    known = {id(each) for each in model.optimizer.variables}
    assert all(id(each) in known for each in optimizer.variables)
    if kind is Nadam:
        assert id(optimizer._u_product) in known  # a variable of its own, which an exact resume needs


def network():
    """Levels of stride 2 and 4, and a head."""
    image = keras.Input((8, 8, 1))
    fine = keras.layers.Conv2D(2, 3, strides=2, padding="same", name="fine")(image)
    coarse = keras.layers.Conv2D(2, 3, strides=2, padding="same", name="coarse")(fine)
    logits = keras.layers.Dense(2, name="logits")(keras.layers.Flatten()(coarse))

    class Net(keras.Model):
        def stages(self):
            names = {2: "fine", 4: "coarse", "head": "logits"}
            return {stage: self.get_layer(name).trainable_variables for stage, name in names.items()}

    return Net(image, logits)


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ({}, []),
        ({2: 0.1}, [0.1, 0.1, 1, 1, 1, 1]),
        ({4: 0.1}, [0.1, 0.1, 0.1, 0.1, 1, 1]),
        ({4: 0.5, 2: 0.0}, [0, 0, 0.5, 0.5, 1, 1]),
    ],
)
def test_factors_by_stage(stages, expected):
    assert stage_factors(stages, network()) == expected


def test_stages_that_are_not_there():
    check_stages({2: 0.1, 4: 0.5}, network(), "here")
    check_stages({}, keras.Sequential(), "here")
    with pytest.raises(InputError, match=r"^here: no level of stride 8: this model has 2, 4$"):
        check_stages({8: 0.1}, network(), "here")
    with pytest.raises(InputError, match=r"^here: the model Sequential offers no stages: leave them out$"):
        check_stages({8: 0.1}, keras.Sequential(), "here")


def test_a_factor_scales_updates_and_weight_decay():
    optimizer = made(Sgd(**PLAIN, weight_decay=0.5), factors=[0.0, 0.1, 1.0])
    (state,) = steps(optimizer, variables([1.0], [1.0], [1.0]), [[[2.0], [2.0], [2.0]]])
    # w - rate * decay * w - rate * gradient, at rates of 0, 0.01 and 0.1
    np.testing.assert_allclose(state, [[1.0], [1 - 0.005 - 0.02], [1 - 0.05 - 0.2]], rtol=1e-6)


def test_a_factor_scales_what_does_not_depend_on_the_size_of_gradients():
    (state,) = steps(
        made(Adam(learning_rate=0.1), factors=[0.0, 0.1, 1.0]), variables([1.0], [1.0], [1.0]), [[[5.0]] * 3]
    )
    np.testing.assert_allclose(state, [[1.0], [0.99], [0.9]], rtol=1e-5)


class Two(keras.Model):
    """Two parts of one sum, each with an optimizer of its own."""

    def __init__(self):
        super().__init__()
        self.parts = {name: keras.layers.Dense(1, kernel_initializer="ones", name=name) for name in ("one", "other")}
        for part in self.parts.values():
            part.build((None, 2))
        self.tracker = keras.metrics.Mean(name="loss")
        self.built = True

    def call(self, x):
        return sum(part(x) for part in self.parts.values())

    def optimizer_groups(self):
        return {name: part.trainable_variables for name, part in self.parts.items()}

    def set_optimizers(self, optimizers):
        self.optimizers = optimizers

    def train_step(self, data):
        x, y = data
        for name, variables in self.optimizer_groups().items():
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x) - y) ** 2)
            self.optimizers[name].apply(tape.gradient(loss, variables), variables)
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}


GROUPS = Adam(learning_rate=0.1, ema=0.9, groups={"other": Sgd(learning_rate=0.01, ema=0.5)})


@pytest.fixture
def two():
    """`two()`: such a model, its optimizers, and a function that trains it for one epoch of some batches."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(24, 2)).astype("float32"), random.normal(size=(24, 1)).astype("float32")

    def made():
        model = Two()
        optimizers = compile_model(model, GROUPS, Polynomial(), epochs=1, steps=6, jit=False)

        def fit(first, last):
            data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4).skip(first).take(last - first)
            return model.fit(data, verbose=0, shuffle=False).history["loss"]

        return model, optimizers, fit

    return made


def values(variables) -> list[np.ndarray]:
    return [convert_to_numpy(each).copy() for each in variables]


def test_each_group_of_variables_has_its_optimizer(two):
    model, optimizers, fit = two()
    kinds = {name: isinstance(each, keras.optimizers.SGD) for name, each in optimizers.groups.items()}
    assert kinds == {"one": False, "other": True}
    assert optimizers.learning_rates() == pytest.approx({"learning_rate/one": 0.1, "learning_rate/other": 0.01})
    fit(0, 3)
    assert optimizers.learning_rates() == pytest.approx({"learning_rate/one": 0.05, "learning_rate/other": 0.005})
    plain = values(model.trainable_variables)
    with optimizers.averaged():
        averaged = values(model.trainable_variables)
    assert all((one != other).all() for one, other in zip(plain, averaged, strict=True))  # of both groups
    for one, other in zip(plain, values(model.trainable_variables), strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_optimizers_are_saved_and_resumed(two, tmp_path):
    straight, its, fit = two()
    fit(0, 6)
    stopped, optimizers, fit = two()
    fit(0, 3)
    run = Run(tmp_path)
    run.progress.step = 3
    task = pixel_task.make()
    Checkpoint(run, Predictor(task, stopped)).save(optimizers, stopped.metrics_variables)

    resumed, again, fit = two()
    gathered = Checkpoint(Run(tmp_path), Predictor(task, resumed)).restore(again)
    for value, saved in zip(gathered, stopped.metrics_variables, strict=True):
        np.testing.assert_array_equal(value, saved)
    fit(3, 6)
    for one, other in ((straight.variables, resumed.variables), (its.variables(), again.variables())):
        one, other = (list(each.values()) if isinstance(each, dict) else each for each in (one, other))
        for expected, found in zip(values(one), values(other), strict=True):
            np.testing.assert_array_equal(found, expected)
    save_weights(resumed, tmp_path / "best.weights.h5")  # without the optimizers'
    fresh = Two()
    fresh.load_weights(tmp_path / "best.weights.h5")
    for one, other in zip(values(fresh.variables), values(resumed.variables), strict=True):
        np.testing.assert_array_equal(one, other)


def test_groups_that_a_model_does_not_have():
    with pytest.raises(InputError, match=r"^train\.optimizer\.groups: no group 'on' of variables: did you mean one\?"):
        compile_model(Two(), Adam(groups={"on": Sgd()}), Constant(), 1, 1, jit=False)
    with pytest.raises(InputError, match="no group 'one' of variables: .* has none: leave them out"):
        compile_model(network(), Adam(groups={"one": Sgd()}), Constant(), 1, 1, jit=False)
