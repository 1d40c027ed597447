"""What there is to look at: the task's figures, the samples it got most wrong, its training pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from .evaluations import Shown
from .figure_tables import in_words
from .markup import Markup, details, element, markup, picture, section
from .material import Material

CASE, SHEET = 400, 1100
"""Pixels of the longer side of a sample's picture and of a contact sheet."""
WIDE = 1.8
"""Width by height from which on a picture is shown as wide as a contact sheet."""
AT_ONCE = 4
"""How many of the worst are seen without a click, where others are shown beside them."""


def evaluation_figures(material: Material) -> Markup:
    """What the task's evaluation draws of the quoted split: curves, matrices."""
    quoted = material.quoted
    if quoted is None or not quoted.pictures:
        return Markup("")
    shown = [
        element("figure", {}, element("figcaption", {}, in_words(name)), picture(path, in_words(name), SHEET))
        for name, path in quoted.pictures.items()
    ]
    return section("In pictures", element("div", {"class": "drawings"}, *shown))


def mistakes(material: Material) -> Markup:
    """The worst samples of the quoted split; where answers have degrees, those of median and best score, too."""
    quoted = material.quoted
    if quoted is None or not (quoted.worst or quoted.best):
        return Markup("")
    if not quoted.best:
        note = f"Of the {quoted.split} split, the worst first."
        return section("The worst mistakes", element("p", {"class": "note"}, note), _cases(quoted.worst))
    parts = []
    for name, cases in (("The worst", quoted.worst), ("Median", quoted.median), ("The best", quoted.best)):
        parts += [element("h3", {}, name), _cases(cases[:AT_ONCE])] if cases else []
        if more := cases[AT_ONCE:]:
            parts.append(details(f"{len(more)} more", _cases(more)))
    note = f"Of the {quoted.split} split, by the score of each sample."
    return section("Worst, median, best", element("p", {"class": "note"}, note), *parts)


def suspects(material: Material) -> Markup:
    """Samples whose truth is likelier wrong than the results, of every split that was evaluated."""
    parts = []
    for each in material.evaluations.values():
        if each.suspects:
            parts += [element("h3", {}, f"{each.split} split"), _cases(each.suspects)]
    if not parts:
        return Markup("")
    note = "Here the label is likelier wrong than the model: look at each before you trust either."
    return section("Likely mislabelled", element("p", {"class": "note"}, note), *parts)


def training_pictures(material: Material) -> Markup:
    """The contact sheet that the training left."""
    path = material.folder / "training_samples.png"
    if not path.is_file():
        return Markup("")
    how = "augmented and fitted" if material.recipe.augment else "fitted"
    note = element("p", {"class": "note"}, f"Samples of the first epoch, {how}, with their truth.")
    sheet = element("div", {"class": "sheet"}, picture(path, "training samples", SHEET))
    return section("What the network saw", note, sheet)


def _cases(cases: Sequence[Shown]) -> Markup:
    """Cards side by side; what is drawn as several panels in a row is too wide for a card and gets one of its own."""
    is_wide = any(_ratio(case.picture) > WIDE for case in cases)
    cards = [
        element(
            "figure",
            {},
            picture(case.picture, case.note, SHEET if is_wide else CASE),
            element("figcaption", {}, case.note, element("code", {}, case.key)),
        )
        for case in cases
    ]
    return element("div", {"class": "wide cases" if is_wide else "cases"}, markup(*cards))


def _ratio(path: Path) -> float:
    """Width by height of a picture."""
    with Image.open(path) as image:
        return image.width / image.height
