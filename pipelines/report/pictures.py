"""What there is to look at: the task's figures, the samples it got most wrong, its training pictures."""

from __future__ import annotations

from collections.abc import Sequence

from .evaluations import Shown
from .figure_tables import in_words
from .markup import Markup, element, markup, picture, section
from .material import Material

CASE, SHEET = 400, 1100
"""Pixels of the longer side of a sample's picture and of a contact sheet."""


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
    """The worst samples of the quoted split."""
    quoted = material.quoted
    if quoted is None or not quoted.worst:
        return Markup("")
    note = f"Of the {quoted.split} split, the worst first."
    return section("The worst mistakes", element("p", {"class": "note"}, note), _cases(quoted.worst))


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
    cards = [
        element(
            "figure",
            {},
            picture(case.picture, case.note, CASE),
            element("figcaption", {}, case.note, element("code", {}, case.key)),
        )
        for case in cases
    ]
    return element("div", {"class": "cases"}, markup(*cards))
