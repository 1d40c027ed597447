"""Which epoch is kept, what is refused, and what is said where bounds are not kept to."""

import math
import operator
import re

import hypothesis.strategies as st
import pytest
from hypothesis import given

from saccade.models.contract import Value
from saccade.models.errors import InputError
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.recipe.train_options import Bound
from saccade.pipelines.training.selection import GLANCE, Selection


def selection(*overrides) -> Selection:
    return Selection(load_recipe("digits", ["train.select={}", *overrides]).train, "accuracy")


def metrics(accuracy=0.5, log_loss=1.0, **others) -> dict[str, Value]:
    named = {name.replace("_of_", "/"): Value(value) for name, value in others.items()}
    return {"accuracy": Value(accuracy), "log_loss": Value(log_loss, higher_is_better=False), **named}


def refusal(call, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value", "excess"),
    [
        ("< 20", 19.9, 0),
        ("<20", 25, 0.25),
        ("<= 20", 20, 0),
        ("> 0.9", 0.91, 0),
        (">= .9", 0.9, 0),
        (" >  0.5 ", 0.25, 0.5),
        ("> -2", -3, 0.5),
        ("< 0", 0.5, 0.5),
        ("> 1e-2", 0.02, 0),
    ],
)
def test_how_far_a_value_is_past_its_bound(text, value, excess):
    assert Bound.parse(text).excess(value) == pytest.approx(excess)


def test_a_strict_bound_is_not_kept_by_its_limit_and_nothing_is_kept_by_no_number():
    assert 0 < Bound.parse("< 20").excess(20) < 1e-9
    assert Bound.parse("> 0.9").excess(math.nan) == math.inf


SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@given(st.sampled_from(list(SIGNS)), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_bound_is_kept_exactly_where_python_says_so(sign, limit, value):
    kept = SIGNS[sign](value, limit)
    assert (Bound.parse(f"{sign} {limit!r}").excess(value) == 0) == kept


@pytest.mark.parametrize(
    "bound", ["'20'", "20", "'= 20'", "'< twenty'", "'<'", "'< 1 2'", "'=< 1'", "null", "[1]", "'> nan'"]
)
def test_malformed_bounds(bound):
    message = refusal(load_recipe, "digits", [f"train.select={{subject_to: {{accuracy: {bound}}}}}"])
    assert "'train.select.subject_to.accuracy' is" in message
    assert 'a bound is "< 20", "<= 20", "> 0.9" or ">= 0.9", in quotes' in message


def test_one_metric_is_optimised():
    message = refusal(load_recipe, "digits", ["train.select={maximise: accuracy, minimise: log_loss}"])
    assert "maximise or minimise one metric, not both: bound the other with subject_to" in message
    assert selection().metric == "accuracy"
    assert selection("train.select={minimise: log_loss}").metric == "log_loss"


def test_a_resolved_recipe_keeps_its_bounds(tmp_path):
    recipe = load_recipe(
        "digits", ["train.select={maximise: f1_macro, subject_to: {recall/3: '> 0.9', latency_ms: '<5'}}"]
    )
    (tmp_path / "again.yaml").write_text(recipe.to_yaml())
    assert load_recipe(tmp_path / "again.yaml").train == recipe.train


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train.select={maximise: acuracy}"], "train.select: .* no metric 'acuracy': did you mean accuracy?"),
        (["train.select={maximise: log_loss}"], "train.select: log_loss is better lower: say minimise"),
        (["train.select={minimise: accuracy}"], "train.select: accuracy is better higher: say maximise"),
        (
            ["train.select={subject_to: {recall/rise: '> 0.9'}}"],
            r"train.select.subject_to: .* 'recall/rise' \(a class that no validation sample has is left out\): "
            "did you mean recall/rose",
        ),
        (
            ["train.early_stopping={monitor: log_los}"],
            "train.early_stopping.monitor: .* no metric 'log_los': did you mean log_loss",
        ),
    ],
)
def test_what_is_refused_before_the_training(overrides, message):
    said = refusal(selection(*overrides).check, lambda samples: metrics(recall_of_rose=0.5))
    assert re.search(message, said), said


def test_a_metric_that_needs_a_rare_sample_is_looked_for_in_all():
    asked = []

    def ask(samples):
        asked.append(samples)
        return metrics() if samples else metrics(recall_of_rose=0.1)

    selection("train.select={subject_to: {recall/rose: '> 0.9', latency_ms: '< 20'}}").check(ask)
    assert asked == [GLANCE, None]
    asked.clear()
    selection("train.select={minimise: log_loss}").check(ask)
    assert asked == [GLANCE]


def test_nothing_is_asked_where_the_recipe_names_no_metric():
    selection("train.early_stopping={patience: 2}").check(lambda samples: pytest.fail("asked"))


def best(chosen: Selection, epochs) -> int:
    """The epoch that is kept, from 1."""
    kept, value, violation = 0, None, 0.0
    for number, values in enumerate(epochs, 1):
        standing = chosen.standing(values)
        if standing.beats(value, violation):
            kept, value, violation = number, standing.value, standing.violation
    return kept


def test_the_best_metric_wins_in_its_own_direction():
    epochs = [metrics(0.5, 1.0), metrics(0.9, 0.4), metrics(0.7, 0.2), metrics(math.nan, 0.1), metrics(0.9, 0.4)]
    assert best(selection(), epochs) == 2
    assert best(selection("train.select={minimise: log_loss}"), epochs) == 4
    assert best(selection(), [metrics(math.nan), metrics(math.inf), metrics(0.1)]) == 3


def test_an_epoch_that_keeps_to_all_bounds_beats_those_that_do_not():
    chosen = selection("train.select={subject_to: {log_loss: '< 0.5', recall/rose: '>= 0.6'}}")
    epochs = [
        metrics(0.99, 0.4, recall_of_rose=0.3),
        metrics(0.50, 0.4, recall_of_rose=0.6),
        metrics(0.98, 0.6, recall_of_rose=0.9),
        metrics(0.60, 0.4, recall_of_rose=0.7),
    ]
    assert best(chosen, epochs) == 4
    assert best(chosen, epochs[:1] + epochs[2:3]) == 2  # past its bound by a fifth, the other by a half


def test_among_epochs_equally_far_past_a_bound_the_metric_decides():
    chosen = selection("train.select={subject_to: {latency_ms: '< 20'}}")
    slow = {"latency_ms": Value(30.0, higher_is_better=False)}
    assert best(chosen, [metrics(0.5) | slow, metrics(0.7) | slow, metrics(0.6) | slow]) == 2


def test_what_fails_is_said():
    chosen = selection(
        "train.select={subject_to: {latency_ms: '< 20', recall/rose: '> 0.9', log_loss: '< 2', f1/x: '> 0'}}"
    )
    history = [
        {"epoch": 1, "val_recall/rose": 0.5},
        {"epoch": 2, "val_recall/rose": 0.86},
        {"epoch": 3, "val_recall/rose": 0.7},
    ]
    values = metrics(recall_of_rose=0.7) | {"latency_ms": Value(31.24, higher_is_better=False)}
    assert [str(failure) for failure in chosen.failures(values, history)] == [
        "latency_ms is 31.24, not < 20",
        "recall/rose is 0.7, not > 0.9; epoch 2 came closest: 0.86",
        "f1/x (> 0) cannot be told from these samples",
    ]


def stops(overrides, values, start=0) -> list[bool]:
    """After each epoch: whether the phase that begins after `start` epochs stops."""
    chosen = selection(f"train.early_stopping={overrides}")
    history = [
        {"epoch": number, "val_accuracy": value, "val_log_loss": value} for number, value in enumerate(values, 1)
    ]
    return [chosen.is_patience_over(metrics(), history[: number + 1], start) for number in range(start, len(history))]


def test_early_stopping_waits_for_an_improvement():
    assert stops("{patience: 2}", [0.5, 0.6, 0.6, 0.7, 0.6, 0.7]) == [False] * 5 + [True]
    assert stops("{patience: 2, min_delta: 0.15}", [0.5, 0.6, 0.64, 0.7]) == [False, False, True, False]
    assert stops("{patience: 1}", [math.nan, 0.5, 0.6]) == [True, False, False]


def test_early_stopping_knows_which_way_its_own_metric_is_better():
    assert stops("{patience: 1, monitor: log_loss}", [0.5, 0.4, 0.4]) == [False, False, True]
    assert stops("{patience: 1, monitor: accuracy}", [0.5, 0.4]) == [False, True]


def test_a_later_phase_has_its_own_patience_and_the_same_best():
    assert stops("{patience: 2}", [0.9, 0.5, 0.6, 0.95], start=1) == [False, True, False]


def test_without_early_stopping_nothing_stops():
    history = [{"epoch": number, "val_accuracy": 0.5} for number in range(1, 9)]
    assert not selection().is_patience_over(metrics(), history, 0)
