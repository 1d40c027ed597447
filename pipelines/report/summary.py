"""The beginning of the page: the run in one paragraph, and the figure that is quoted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..progress import span
from .figure_tables import in_words, interval, number
from .intervals_svg import common_scale, interval_bar, is_share, own_scale
from .markup import Markup, element, markup
from .material import Material


def summary(material: Material) -> Markup:
    """Title, paragraph, quoted figure, what evaluations note, bounds that are not kept to, and what is missing."""
    title = element("h1", {}, material.folder.resolve().name)
    text = element("p", {"class": "lead"}, *_sentences(material))
    missing = [element("p", {"class": "warning"}, line) for line in material.missing]
    failed = [element("p", {"class": "warning"}, _unkept(each)) for each in material.progress.unkept]
    notes = [
        element("p", {"class": "warning"}, f"On {each.split}, {note}.")
        for each in material.evaluations.values()
        for note in each.notes
    ]
    return element("header", {}, element("div", {}, title, text, *notes, *failed, *missing), _quoted_figure(material))


def _sentences(material: Material) -> list[str]:
    recipe, samples = material.recipe, material.samples
    task = recipe.task.rpartition(":")[2]
    classes = f" of {material.classes:,} classes" if material.classes else ""
    parts = [
        element("b", {}, recipe.model.name.rpartition(":")[2]),
        f" ({material.parameters:,} parameters) learnt {task}{classes} from {samples['train']:,} training samples. ",
        *_result(material),
    ]
    if material.history:
        parts += [
            f" It trained for {_epochs(len(material.history))}{_duration(material)}; ",
            f"the weights of epoch {material.progress.best_epoch} were the best on {samples['validation']:,} ",
            f"validation samples, by {in_words(material.monitor)}.",
        ]
    if whole := material.provenance.get("ensemble"):
        runs = len(whole["members"])
        parts.append(f" It is the mean of the {whole['average']} of {runs} run{'s' if runs > 1 else ''}.")
    return parts


def _unkept(failure: Mapping[str, Any]) -> str:
    """A bound of the recipe's `select` that the chosen weights do not keep to."""
    figure, bound = failure["figure"], failure["bound"]
    if failure["value"] is None:
        return f"Whether {figure} is {bound} could not be told on validation."
    return f"On validation {figure} is {number(failure['value'])}, not {bound} as the recipe wants."


def _result(material: Material) -> list[str]:
    quoted = material.quoted
    if quoted is None or material.headline not in quoted.figures:
        return []
    value = quoted.figures[material.headline]
    within = f" (95 % interval {interval(value)})" if value.low is not None else ""
    parts = [
        f"On {material.samples[quoted.split]:,} {quoted.split} samples its {in_words(material.headline)} is ",
        element("b", {}, number(value.value)),
        f"{within}.",
    ]
    if quoted.split == "validation":
        why = "could not be evaluated" if material.samples["test"] else "is empty"
        parts.append(f" That is optimistic, for the same samples chose the weights: the test split {why}.")
    return parts


def _quoted_figure(material: Material) -> Markup:
    quoted = material.quoted
    if quoted is None or material.headline not in quoted.figures:
        return Markup("")
    value = quoted.figures[material.headline]
    scale = common_scale([value]) if is_share(value) else own_scale(value)
    under = f"{in_words(material.headline)}, {quoted.split} split"
    return element(
        "div",
        {"class": "headline"},
        element("div", {"class": "big"}, number(value.value)),
        interval_bar(value, scale),
        element("div", {"class": "note"}, markup(under), *([element("br"), interval(value)] if value.low else [])),
    )


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"


def _duration(material: Material) -> str:
    seconds = [line["seconds"] for line in material.history if "seconds" in line]
    return f" in {span(sum(seconds))}" if seconds and len(seconds) == len(material.history) else ""
