"""What is said of learning curves, on histories whose meaning is known."""

import math

import numpy as np
import pytest

from saccade.models.contract import Value
from saccade.pipelines.report.learning import Reading, read_curves, trend

METRICS = {"accuracy": Value(0.9), "log_loss": Value(0.3, higher_is_better=False)}


def learnt(start: float, end: float, epochs: int = 30, speed: float = 5.0) -> np.ndarray:
    """A curve that bends from one level to another, as learning does."""
    return end + (start - end) * np.exp(-speed * np.arange(epochs) / (epochs - 1))


def read(training, validation, loss=None, metrics=METRICS, **softened) -> Reading:
    loss = learnt(2, 0.1, len(training)) if loss is None else loss
    columns = zip(loss, training, validation, strict=True)
    history = [
        {"epoch": epoch, "loss": float(one), "accuracy": float(two), "val_accuracy": float(three)}
        for epoch, (one, two, three) in enumerate(columns, 1)
    ]
    return read_curves(history, metrics, "accuracy", **softened)


def jitter(size: float, epochs: int = 30) -> np.ndarray:
    return np.random.default_rng(0).normal(0, size, epochs)


def test_overfitting_by_the_gap():
    reading = read(learnt(0.3, 0.999, speed=20), learnt(0.3, 0.8, speed=20))
    assert reading.verdict == "overfitting"
    assert "accuracy 0.999 in training and 0.8 on validation: a gap that matters." in reading.sentences[0]
    assert "more data, some augmentation" in reading.sentences[-1]


def test_overfitting_by_validation_that_worsens():
    """No metric is on both sides, as for a task of one's own: the course of validation alone tells."""
    epochs = np.arange(40)
    validation = 0.3 + 0.7 * np.exp(-epochs / 4) + 0.01 * epochs
    history = [
        {"epoch": i + 1, "loss": 2 * math.exp(-i / 6), "val_log_loss": float(value)}
        for i, value in enumerate(validation)
    ]
    reading = read_curves(history, METRICS, "log_loss")
    assert reading.verdict == "overfitting"
    best = min(validation)
    assert reading.sentences[0].startswith("Validation log loss has become worse while the training loss did not")
    assert f"{best:.4g} at its best" in reading.sentences[0]
    assert "early stopping" in reading.sentences[-1]


def test_underfitting():
    reading = read(learnt(0.2, 0.55, speed=15), learnt(0.2, 0.545, speed=15), learnt(2, 1.4, speed=15))
    assert reading.verdict == "underfitting"
    assert "larger model" in reading.sentences[-1]


def test_still_improving():
    reading = read(np.linspace(0.3, 0.7, 30), np.linspace(0.3, 0.69, 30), np.linspace(2, 1, 30))
    assert reading.verdict == "still improving"
    assert "More epochs are likely to help." in reading.sentences


def test_settled():
    reading = read(learnt(0.3, 0.97, speed=15), learnt(0.3, 0.96, speed=15) + jitter(0.003))
    assert reading.verdict == "settled"
    assert "a small gap" in reading.sentences[0]


def test_a_network_that_knew_it_from_the_start_is_settled():
    reading = read(0.95 + jitter(0.004), 0.95 - jitter(0.004), 0.15 + jitter(0.01))
    assert reading.verdict == "settled"


def test_diverging():
    epochs = np.arange(20)
    loss = np.where(epochs < 8, 2 - 0.2 * epochs, 0.6 + 0.3 * (epochs - 8))
    reading = read(learnt(0.3, 0.5, 20), learnt(0.3, 0.5, 20), loss)
    assert reading.verdict == "diverging"
    assert reading.sentences[0].startswith("The training loss rises: from 0.6 at its best")
    assert "learning rate" in reading.sentences[-1]


def test_noisy():
    reading = read(0.85 + jitter(0.005), 0.85 + jitter(0.08), learnt(0.5, 0.4, speed=15))
    assert reading.verdict == "noisy"
    assert "jumps by about" in reading.sentences[-2]


@pytest.mark.parametrize("epochs", [0, 1, 4])
def test_too_short_to_say(epochs):
    reading = read(np.full(epochs, 0.5), np.full(epochs, 0.5), np.full(epochs, 1.0))
    assert reading == Reading("too short to say", ("The curves say something from 5 epochs on.",))


def test_a_gap_within_the_interval_of_validation_is_none():
    """Of 40 samples a metric of 0.9 says little: the same curves with the interval of 4,000 are overfitting."""
    curves = learnt(0.3, 0.96, speed=15), learnt(0.3, 0.9, speed=15)
    few, many = ({"accuracy": Value(0.9, 0.9 - half, 0.9 + half)} for half in (0.09, 0.009))
    assert read(*curves, metrics=few).verdict == "settled"
    assert read(*curves, metrics=many).verdict == "overfitting"


def test_what_makes_training_harder_is_said():
    reading = read(learnt(0.3, 0.9, speed=15), learnt(0.3, 0.95, speed=15), softened=["augmentation", "dropout"])
    assert reading.verdict == "settled"
    assert "no gap" in reading.sentences[0]
    assert "The training metric is pessimistic, because augmentation and dropout made" in reading.sentences[0]
    assert "pessimistic" not in " ".join(read(learnt(0.3, 0.9), learnt(0.3, 0.95)).sentences)


def test_validation_that_is_no_number():
    reading = read(learnt(0.3, 0.9), np.full(30, np.nan))
    assert reading.verdict == "too short to say"
    assert "fewer than 3 epochs" in reading.sentences[0]


def test_the_trend_of_a_straight_line():
    found = trend([0.1 * i for i in range(12)])  # the last third is less than five epochs
    assert found.window == 5
    assert found.change == pytest.approx(0.4)
    assert found.end == pytest.approx(0.9)
    assert found.noise == pytest.approx(0, abs=1e-12)
    assert found.is_rising and not found.is_falling
    assert found.lost == pytest.approx(0.2 / 1.1)


def test_noise_alone_has_no_trend():
    rising = [trend(np.random.default_rng(seed).normal(size=20)).is_rising for seed in range(200)]
    assert np.mean(rising) < 0.05
