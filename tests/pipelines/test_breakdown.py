"""Metrics told apart by a column, as tables of text; counted by hand."""

import pytest

from saccade.models.contract import Evaluation, Value
from saccade.models.errors import InputError
from saccade.pipelines.evaluating.breakdown import Breakdown, Part, widest_gap
from saccade.pipelines.evaluating.metric_tables import breakdown_text, comparison_rows, metrics_text


class Counting(Evaluation):
    """Counts what it is fed with."""

    def __init__(self):
        self.keys = []

    def update(self, truth, results, key, raw):
        self.keys.append(key)

    def values(self, intervals=True):
        return {"count": Value(len(self.keys))}


class Columns:
    def __init__(self, **columns):
        self.columns = columns
        self.keys = [f"k{i}" for i in range(len(next(iter(columns.values()))))]


def test_each_value_has_an_evaluation_of_its_own():
    breakdown = Breakdown("camera", Columns(camera=["a", "b", "", "b", "c"]), [0, 1, 2, 3])
    for key in ("k0", "k1", "k2", "k3"):
        breakdown.update(Counting, {}, {}, key, dict)
    told = {value: (part.count, part.values["count"].value) for value, part in breakdown.parts().items()}
    assert told == {"b": (2, 2), "(empty)": (1, 1), "a": (1, 1)}
    assert next(iter(told)) == "b"


def test_too_many_values_are_refused():
    columns = Columns(patient=[str(i) for i in range(300)])
    with pytest.raises(InputError, match="'patient' has 300 different values in these 300 samples: .* at most 200"):
        Breakdown("patient", columns, range(300))
    Breakdown("patient", columns, range(200))


def part(count, **metrics):
    return Part(count, {name: Value(*each) for name, each in metrics.items()})


def test_the_widest_gap_is_the_one_farthest_beyond_its_intervals():
    parts = {
        "phone": part(40, accuracy=(0.6, 0.5, 0.7), log_loss=(2.0, 0.5, 3.5)),
        "dslr": part(50, accuracy=(0.9, 0.85, 0.95), log_loss=(1.0, 0.1, 2.5)),
        "toy": part(9, accuracy=(0.0, 0.0, 0.0), log_loss=(9.0, 9.0, 9.0)),
    }
    assert widest_gap("camera", parts) == (
        "widest gap: accuracy 0.6000 for camera=phone against 0.9000 for camera=dslr; their intervals do not overlap"
    )
    parts["phone"].values["accuracy"] = Value(0.88, 0.8, 0.9)
    assert widest_gap("camera", parts).endswith("overlap: it may be chance")


def test_no_gap_to_tell():
    few = {"a": part(9, accuracy=(0.1, 0.0, 0.2)), "b": part(50, accuracy=(0.9, 0.8, 1.0))}
    assert widest_gap("camera", few) == "no gap to tell: fewer than two values of 'camera' have 10 samples"
    same = {name: part(50, accuracy=(0.9, 0.8, 1.0), r_squared=(0.3,)) for name in "ab"}
    assert widest_gap("camera", same) == "no gap between the values of 'camera'"


def test_the_table_of_a_column():
    parts = {"phone": part(40, accuracy=(0.6, 0.5, 0.7), one=(0.5,)), "toy": part(9, accuracy=(0.25, 0.0, 1.0))}
    assert breakdown_text("camera", parts).splitlines() == [
        "camera  samples      accuracy                one",
        "phone   40           0.600 (0.500 to 0.700)  0.500",
        "toy     9 (too few)  0.250 (0.000 to 1.000)  -",
        "",
        "no gap to tell: fewer than two values of 'camera' have 10 samples",
    ]


def test_headline_first_and_classes_as_a_table():
    values = {
        "accuracy": (0.5, 0.25, 0.75),
        "f1": (0.25,),
        "recall/a b": (1.0,),
        "recall/c": (0.5,),
        "f1/c/d": (0.125,),
    }
    assert metrics_text({name: Value(*each) for name, each in values.items()}).splitlines() == [
        "accuracy  0.5000 (0.2500 to 0.7500)",
        "f1        0.2500",
        "",
        "class  recall  f1",
        "a b    1.0000  -",
        "c      0.5000  -",
        "c/d    -       0.1250",
    ]
    assert metrics_text({"error": Value(2.0)}) == "error  2.0000"


def test_plots_side_by_side_know_the_direction():
    first = {"accuracy": Value(0.5), "loss": Value(1.0, higher_is_better=False), "f1/a": Value(1.0), "old": Value(1.0)}
    second = {"accuracy": Value(0.75), "loss": Value(2.0, higher_is_better=False), "f1/a": Value(1.0)}
    assert comparison_rows(("a", "b"), first, second).splitlines() == [
        "(* is better)  a        b        difference",
        "accuracy       0.5000   0.7500*  +0.2500",
        "loss           1.0000*  2.0000   +1.0000",
    ]
