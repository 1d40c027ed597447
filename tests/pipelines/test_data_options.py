"""What a recipe may say of its data, whatever the source."""

import pytest
from pydantic import ValidationError

from saccade.pipelines.data.source import DataOptions


@pytest.mark.parametrize(
    ("said", "meant"), [("1%", 0.01), ("0.5%", 0.005), (0.02, 0.02), (3, 3), (0, 0), (1, 1), (1.0, 1.0), ("100%", 1.0)]
)
def test_budget_is_a_share_or_a_count(said, meant):
    budget = DataOptions(source="digits", max_bad=said).max_bad
    assert budget == meant and type(budget) is type(meant)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (True, "not a truth value"),
        (-1, "a share lies between 0 and 1"),
        (1.5, "a share lies between 0 and 1"),
        ("150%", "a share lies between 0 and 1"),
        (float("nan"), "a share lies between 0 and 1"),
        ("x%", "could not convert"),
    ],
)
def test_budgets_without_a_meaning(said, told):
    with pytest.raises(ValidationError, match=told):
        DataOptions(source="digits", max_bad=said)


def test_something_is_left_to_train_on():
    with pytest.raises(ValidationError, match="validation 0.6 and test 0.4 leave nothing to train on"):
        DataOptions(source="digits", validation=0.6, test=0.4)
