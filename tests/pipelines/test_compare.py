"""Two runs side by side: the paired tests against hand-computed cases and SciPy, and runs that cannot be compared."""

import json
import shutil
from math import comb

import numpy as np
import pytest
import yaml
from scipy.stats import wilcoxon

from saccade.cli import main
from saccade.models.errors import InputError
from saccade.models.predictor import Predictor
from saccade.pipelines.evaluating.compare import compare, paired_test


def scores(both, first, second, neither):
    pairs = [(1, 1)] * both + [(1, 0)] * first + [(0, 1)] * second + [(0, 0)] * neither
    return [each[0] for each in pairs], [each[1] for each in pairs]


@pytest.mark.parametrize(("first", "second"), [(1, 9), (9, 1), (3, 4), (0, 6), (0, 1)])
def test_mcnemars_exact_test_by_hand(first, second):
    """Twice the probability of so few or fewer heads among the discordant pairs, at most 1."""
    test = paired_test(*scores(50, first, second, 5))
    count, fewer = first + second, min(first, second)
    assert test.p_value == pytest.approx(min(1, 2 * sum(comb(count, k) for k in range(fewer + 1)) / 2**count))
    assert (test.first_better, test.second_better, test.samples) == (first, second, 55 + count)
    assert test.favours_second == (second > first) and not test.graded


def test_mcnemars_conclusions():
    assert paired_test(*scores(50, 9, 1, 5)).conclusion("runs/a", "runs/b").splitlines() == [
        "of 65 samples both answered, 9 are right only in runs/a and 1 right only in runs/b",
        "runs/a is better, by more than chance: p = 0.021, McNemar's exact test",
    ]
    assert paired_test(*scores(50, 1, 9, 5)).conclusion("a", "b").splitlines()[1].startswith("b is better")
    likely = paired_test(*scores(50, 3, 4, 5)).conclusion("a", "b").splitlines()[1]
    assert likely == "the difference may be chance: p = 1, McNemar's exact test"


def test_equal_answers_are_no_difference():
    for each in ([1, 0, 1], [0.5, 0.25, 1.0]):
        test = paired_test(each, each)
        assert test.p_value == 1 and test.favours_second is None and test.is_chance


def test_degrees_take_wilcoxons_test():
    generator = np.random.default_rng(0)
    ours = generator.random(80)
    theirs = np.clip(ours + generator.normal(0.05, 0.1, 80), 0, 1)
    test = paired_test(ours, theirs)
    assert test.graded and test.p_value == pytest.approx(wilcoxon(theirs, ours).pvalue)
    assert test.favours_second and test.first_better + test.second_better <= 80
    assert "better answered by b\nb is better, by more than chance: p = " in test.conclusion("a", "b")
    assert not paired_test(theirs, ours).favours_second


def test_wilcoxons_test_by_hand():
    """Six differences, all upwards: two of 2 ** 6 signs are so extreme."""
    assert paired_test([0.1] * 6, [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]).p_value == pytest.approx(2 / 64)


@pytest.fixture
def worse_run(digits_run, tmp_path):
    """A copy of the run whose last layer was disturbed, and that nobody evaluated since."""
    run = shutil.copytree(digits_run, tmp_path / "worse")
    predictor = Predictor.load(run)
    logits = predictor.model.get_layer("logits")
    kernel, bias = logits.get_weights()
    noise = np.random.default_rng(0).normal(0, kernel.std(), kernel.shape)
    logits.set_weights([kernel + noise.astype(np.float32), bias])
    predictor.model.save_weights(run / "best.weights.h5")
    return run


def test_two_runs(digits_run, worse_run, capsys):
    assert main(["compare", str(digits_run), str(worse_run)]) == 0
    printed = capsys.readouterr().out
    comparison = compare(digits_run, worse_run)
    assert printed.strip() == str(comparison)
    ours, theirs = (
        json.loads((run / "evaluation" / "test" / "scores.json").read_text()) for run in (digits_run, worse_run)
    )
    discordant = [(ours[key], theirs[key]) for key in ours if ours[key] != theirs[key]]
    assert (comparison.test.first_better, comparison.test.second_better) == (
        discordant.count((1.0, 0.0)),
        discordant.count((0.0, 1.0)),
    )
    assert comparison.values[0]["accuracy"].value == pytest.approx(np.mean(list(ours.values())))
    assert "is better, by more than chance: p = " in printed and "accuracy " in printed


def test_what_is_up_to_date_is_not_evaluated_again(digits_run, worse_run):
    compare(digits_run, worse_run)
    files = [run / "evaluation" / "test" / "metrics.json" for run in (digits_run, worse_run)]
    before = [file.stat().st_mtime_ns for file in files]
    compare(worse_run, digits_run)
    assert [file.stat().st_mtime_ns for file in files] == before
    assert json.loads(files[1].read_text())["fingerprint"] == Predictor.load(worse_run).fingerprint
    metrics = json.loads(files[0].read_text())
    files[0].write_text(json.dumps(metrics | {"overrides": ["data.test=0.5"]}))  # as an evaluation on other data leaves
    compare(worse_run, digits_run)
    assert json.loads(files[0].read_text())["overrides"] == []


def changed(run, folder, **sections):
    """A copy of a run with other sections in its recipe, never evaluated."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("evaluation"))
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    for name, values in sections.items():
        recipe[name] = {**recipe[name], **values} if isinstance(values, dict) else values
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder


def test_runs_on_other_samples_are_refused(digits_run, tmp_path):
    other = changed(digits_run, tmp_path / "other", data={"test": 0.05})
    told = r"runs on other data: of \d+ and \d+ samples of the test split they share \d+, and metrics of different"
    with pytest.raises(InputError, match=told):
        compare(digits_run, other)


def test_runs_of_other_classes_are_refused(digits_run, tmp_path):
    other = changed(digits_run, tmp_path / "other")
    description = json.loads((other / "predictor.json").read_text())
    description["class_names"][0] = "none"
    (other / "predictor.json").write_text(json.dumps(description))
    with pytest.raises(InputError, match="know other classes: 0, none"):
        compare(digits_run, other)


def test_runs_of_other_tasks_are_refused(digits_run, tmp_path, root):
    several = changed(digits_run, tmp_path / "several", model={"multi_label": True})
    with pytest.raises(InputError, match="answers to the truth 'label' and .* to 'labels': only runs on"):
        compare(digits_run, several)
    own = changed(digits_run, tmp_path / "own", task="pixel_task:Pixels")
    recipe = yaml.safe_load((own / "recipe.yaml").read_text())
    recipe |= {"model": {"name": "convolution"}, "results": {}, "import_paths": [str(root / "tests" / "shared")]}
    (own / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.raises(InputError, match="is a run of task 'classification' and .* of 'pixel_task:Pixels'"):
        compare(digits_run, own)


def test_not_a_run(digits_run, tmp_path, capsys):
    assert main(["compare", str(digits_run), str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path}: not a run (it has no recipe.yaml)" in line
