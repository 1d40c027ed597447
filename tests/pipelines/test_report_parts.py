"""The parts of the report's page: embedded images, bars, curves and tables."""

import base64
import io
import math
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from saccade.models.contract import Value
from saccade.pipelines.curves import INK, curve_names, draw_curves, panel_svg
from saccade.pipelines.report.content import Shown, families, worst_first
from saccade.pipelines.report.report import bar, image_attributes, is_wide, number, scale_of

HISTORY = [
    {"epoch": 1, "loss": 2.0, "accuracy": 0.5, "val_accuracy": 0.4, "val_recall/a": 0.1, "seconds": 1.0},
    {"epoch": 2, "loss": 1.0, "accuracy": 0.7, "val_accuracy": float("nan"), "val_recall/a": 0.2, "seconds": 1.0},
    {"epoch": 3, "loss": 0.5, "accuracy": 0.9, "val_accuracy": 0.8, "val_recall/a": 0.3, "seconds": 1.0},
]


@pytest.mark.parametrize(("pixels", "kind"), [("flat", "png"), ("noise", "jpeg")])
def test_images_are_no_larger_than_needed(tmp_path, pixels, kind):
    values = np.zeros((300, 600, 3), np.uint8)
    if pixels == "noise":
        values = np.random.default_rng(0).integers(0, 256, values.shape, np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    shown = image_attributes(tmp_path / "a.png", "what it is", 200)
    assert (shown["alt"], shown["width"], shown["height"]) == ("what it is", 200, 100)
    found, encoded = shown["src"].removeprefix("data:image/").split(";base64,")
    assert found == kind
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        assert image.size == (200, 100)


def test_a_plot_scrolls_before_its_text_becomes_too_small(tmp_path):
    (tmp_path / "a.svg").write_text('<svg width="300pt" height="200pt"></svg>')
    shown = image_attributes(tmp_path / "a.svg", "a", 1000)
    assert shown["style"] == "min-width: 240px; max-width: 400px"  # a point is 4/3 pixels
    assert base64.b64decode(shown["src"].removeprefix("data:image/svg+xml;base64,")).startswith(b"<svg")


def test_an_interval_is_drawn_to_scale():
    assert bar(Value(0.95, 0.925, 0.975), (0.9, 1.0)) == {"low": "25.00%", "high": "75.00%", "at": "50.00%"}
    assert bar(Value(0.95), (0.0, 1.0)) == {"low": "95.00%", "high": "95.00%", "at": "95.00%"}
    assert bar(Value(float("nan")), (0.0, 1.0)) is None


def test_scales():
    values = [Value(0.97, 0.93, 0.99), Value(0.9, 0.85, 0.95), Value(0.01, higher_is_better=False)]
    assert scale_of(values[0], values) == (0.8, 1.0)
    assert scale_of(values[0]) == (0.9, 1.0)
    assert scale_of(Value(0.0537, 0.0138, 0.1092, higher_is_better=False), values) == (0.0, pytest.approx(0.2))
    assert scale_of(Value(-2.5)) == (-3.0, 3.0)
    assert scale_of(Value(0.0, higher_is_better=False)) == (0.0, 1.0)
    assert scale_of(Value(math.nan)) == scale_of(Value(math.inf)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("value", "text"), [(0.98765, "0.9877"), (-12.5, "-12.5000"), (123456.7, "1.2346e+05"), (math.nan, "NaN")]
)
def test_numbers(value, text):
    assert number(value) == text


def test_curves_show_every_finite_epoch():
    panel = ElementTree.fromstring(panel_svg(HISTORY, "accuracy", best_epoch=3, second_phase=1))
    dots = {kind: panel.findall(f".//g[@class='{kind}']//use") for kind in ("training", "validation", "best", "phase")}
    titles = {kind: [dot.find("title").text for dot in found] for kind, found in dots.items()}
    assert titles == {
        "training": ["epoch 1, training: 0.5", "epoch 2, training: 0.7", "epoch 3, training: 0.9"],
        "validation": ["epoch 1, validation: 0.4", "epoch 3, validation: 0.8"],
        "best": ["epoch 3, the best: 0.8"],
        "phase": [],
    }
    assert len(panel.findall(".//g[@class='phase']/path")) == 1
    heights = [float(dot.get("y")) for dot in dots["training"]]
    assert heights == sorted(heights, reverse=True)  # better is higher up
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=1e-3)
    assert dots["best"][0].get("y") == dots["validation"][1].get("y")
    assert {"1", "2", "3"} < {text.text for text in panel.iter("text")}  # text stays text


def test_curves_take_the_colours_of_the_page():
    panel = panel_svg(HISTORY, "accuracy", best_epoch=3, second_phase=1)
    assert "#" not in panel.replace('href="#', "")
    assert all(f"var(--{name})" in panel for name in INK)


def test_the_same_curves_are_the_same_text():
    panel = panel_svg(HISTORY, "accuracy", best_epoch=3)
    assert panel == panel_svg(HISTORY, "accuracy", best_epoch=3)
    ids = [
        {node.get("id") for node in ElementTree.fromstring(each).iter() if "id" in node.attrib}
        for each in (panel, panel_svg(HISTORY, "loss"))
    ]
    assert all(ids) and not ids[0] & ids[1]  # for they stand in one page


def test_names_cannot_break_a_panel():
    evil = '</svg><script>"$x_'
    panel = panel_svg([{"epoch": 1, evil: 1.0}], evil)
    assert "<script" not in panel
    assert (
        ElementTree.fromstring(panel).get("aria-label")
        == f"{evil.replace('_', ' ')} over epochs, training and validation"
    )


def test_long_trainings_have_no_dots():
    history = [{"epoch": epoch, "loss": 1 / epoch} for epoch in range(1, 100)]
    panel = ElementTree.fromstring(panel_svg(history, "loss"))
    assert panel.find(".//g[@class='training']/path") is not None
    assert panel.find(".//use") is None


def test_which_curves_are_drawn():
    assert curve_names(HISTORY) == ["accuracy", "loss"]
    assert panel_svg([{"epoch": 1, "loss": float("inf")}], "loss") == ""
    assert panel_svg([{"epoch": 1, "loss": 0.0}], "loss").count("<use") == 1


def test_the_curves_of_a_run_are_one_image(tmp_path):
    evil = "x_$\\frac$"  # not an equation
    history = [line | {"samples_per_second": 9.0, evil: math.nan} for line in HISTORY]
    draw_curves(history, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.width > 1.5 * image.height  # 4 panels, 3 a row


def test_an_image_of_several_panels_is_wide(tmp_path):
    samples = []
    for name, size in (("square", (50, 50)), ("row", (150, 50))):
        Image.new("RGB", size).save(tmp_path / f"{name}.png")
        samples.append(Shown(name, "", tmp_path / f"{name}.png"))
    assert is_wide(samples) and not is_wide(samples[:1])


def test_metrics_that_share_names_share_a_table():
    metrics = {
        "accuracy": Value(0.9),
        "recall/a": Value(0.5),
        "recall/b/c": Value(0.9),
        "mae/left": Value(2.0, higher_is_better=False),
        "f1/a": Value(0.6),
        "mae/right": Value(1.0, higher_is_better=False),
        "f1/d": Value(0.1),
    }
    classes, sides = sorted(families(metrics), key=len, reverse=True)
    assert {metric: list(column) for metric, column in classes.items()} == {"recall": ["a", "b/c"], "f1": ["a", "d"]}
    assert worst_first(classes) == ["d", "a", "b/c"]  # fractions of names that do better: 1/2; 1/2 and 0; 0
    assert worst_first(sides) == ["left", "right"]
