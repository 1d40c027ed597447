"""The parts of the report's page: escaping, pictures, bars, curves and tables."""

import base64
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from saccade.models.contract import Value
from saccade.pipelines.report.curves_svg import curve_names, draw_panel
from saccade.pipelines.report.figure_tables import families, worst_first
from saccade.pipelines.report.intervals_svg import common_scale, interval_bar, own_scale
from saccade.pipelines.report.markup import Markup, element, markup, picture, section

HISTORY = [
    {"epoch": 1, "loss": 2.0, "accuracy": 0.5, "val_accuracy": 0.4, "val_recall/a": 0.1, "seconds": 1.0},
    {"epoch": 2, "loss": 1.0, "accuracy": 0.7, "val_accuracy": float("nan"), "val_recall/a": 0.2, "seconds": 1.0},
    {"epoch": 3, "loss": 0.5, "accuracy": 0.9, "val_accuracy": 0.8, "val_recall/a": 0.3, "seconds": 1.0},
]


@settings(max_examples=30)
@given(st.text())
def test_text_cannot_become_markup(text):
    shown = element("b", {"title": text}, text)
    assert isinstance(shown, Markup)
    assert shown.count("<") == shown.count(">") == 2
    assert shown.count('"') == 2


def test_markup_is_escaped_once():
    assert element("p", {"x": 1.23456}, markup("a<b"), element("br")) == '<p x="1.2346">a&lt;b<br></p>'
    assert section("Empty", Markup(""), Markup("")) == ""


@pytest.mark.parametrize(("pixels", "kind"), [("flat", "png"), ("noise", "jpeg")])
def test_pictures_are_no_larger_than_needed(tmp_path, pixels, kind):
    values = np.zeros((300, 600, 3), np.uint8)
    if pixels == "noise":
        values = np.random.default_rng(0).integers(0, 256, values.shape, np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    shown = picture(tmp_path / "a.png", "what <it> is", 200)
    assert 'alt="what &lt;it&gt; is" width="200" height="100"' in shown
    found, encoded = re.search(r"data:image/(\w+);base64,([^\"]+)", shown).groups()
    assert found == kind
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        assert image.size == (200, 100)


def test_an_interval_is_drawn_to_scale():
    bar = interval_bar(Value(0.95, 0.925, 0.975), (0.9, 1.0))
    x, width = map(float, re.search(r'class="band" x="([\d.]+)".*? width="([\d.]+)"', bar).groups())
    middle = float(re.search(r'class="dot" cx="([\d.]+)"', bar).group(1))
    start, end = (float(re.search(rf' {name}="([\d.]+)"', bar).group(1)) for name in ("x1", "x2"))
    assert (x - start) / (end - start) == pytest.approx(0.25)
    assert width / (end - start) == pytest.approx(0.5)
    assert (middle - start) / (end - start) == pytest.approx(0.5)
    assert interval_bar(Value(float("nan")), (0, 1)) == ""


def test_scales():
    shares = [Value(0.97, 0.93, 0.99), Value(0.9, 0.85, 0.95), Value(0.01, higher_is_better=False)]
    assert common_scale(shares) == (0.8, 1.0)
    assert common_scale(shares[:1]) == (0.9, 1.0)
    assert common_scale([]) == (0.0, 1.0)
    assert own_scale(Value(0.0537, 0.0138, 0.1092)) == (0.0, pytest.approx(0.2))
    assert own_scale(Value(-2.5)) == (-3.0, 3.0)
    assert own_scale(Value(0.0)) == (0.0, 1.0)


def test_curves_show_every_finite_epoch():
    panel = draw_panel(HISTORY, "accuracy", best_epoch=3, second_phase=1)
    assert panel.count('<circle class="train"') == 3
    assert panel.count('<circle class="valid"') == 2
    assert "epoch 3, validation: 0.8" in panel and "nan" not in panel
    assert panel.count('class="best"') == panel.count('class="phase"') == 1
    heights = [float(y) for y in re.findall(r'<circle class="train" cx="[\d.]+" cy="([\d.]+)"', panel)]
    assert heights == sorted(heights, reverse=True)  # better is higher up
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=1e-3)


def test_which_curves_are_drawn():
    assert curve_names(HISTORY) == ["accuracy", "loss"]
    assert draw_panel([{"epoch": 1, "loss": float("inf")}], "loss") == ""
    assert draw_panel([{"epoch": 1, "loss": 0.0}], "loss").count("<circle") == 1


def test_figures_that_share_names_share_a_table():
    figures = {
        "accuracy": Value(0.9),
        "recall/a": Value(0.5),
        "recall/b/c": Value(0.9),
        "mae/left": Value(2.0, higher_is_better=False),
        "f1/a": Value(0.6),
        "mae/right": Value(1.0, higher_is_better=False),
        "f1/d": Value(0.1),
    }
    classes, sides = sorted(families(figures), key=len, reverse=True)
    assert {figure: list(column) for figure, column in classes.items()} == {"recall": ["a", "b/c"], "f1": ["a", "d"]}
    assert worst_first(classes) == ["d", "a", "b/c"]  # shares of names that do better: 1/2; 1/2 and 0; 0
    assert worst_first(sides) == ["left", "right"]
