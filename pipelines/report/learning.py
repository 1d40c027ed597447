"""The learning curves and what they say."""

from __future__ import annotations

from .curves_svg import curve_names, draw_panel
from .figure_tables import in_words
from .markup import Markup, details, element, markup, section
from .material import Material
from .reading import read_curves

FIRST = 6
"""How many panels are open at once."""
TONES = {"settled": "good", "diverging": "bad", "overfitting": "warn", "underfitting": "warn", "noisy": "warn"}


def learning_curves(material: Material) -> Markup:
    """The verdict, its reasons, and a panel a figure."""
    history = material.history
    if not history:
        return Markup("")
    names = curve_names(history)
    first = [name for name in ("loss", material.headline, material.monitor) if name in names]
    names = list(dict.fromkeys([*first, *names]))
    panels = [_panel(material, name) for name in names]
    more = [details(f"{len(panels) - FIRST} more figures", _grid(panels[FIRST:]))] if len(panels) > FIRST else []
    pace = [_panel(material, name) for name in ("learning_rate", "pictures_per_second") if name in history[-1]]
    return section(
        "Learning curves",
        reading(material),
        _legend(material),
        _grid(panels[:FIRST]),
        *more,
        details("learning rate and pace", _grid(pace)),
    )


def reading(material: Material) -> Markup:
    """The curves of the last phase in words."""
    last_phase = [line for line in material.history if line["epoch"] > material.head_epochs]
    figures = material.evaluations["validation"].figures if "validation" in material.evaluations else {}
    found = read_curves(last_phase or material.history, figures, material.monitor, material.softened)
    tone = TONES.get(found.verdict, "plain")
    verdict = element("strong", {"class": f"verdict {tone}"}, found.verdict.capitalize())
    sentences = list(found.sentences)
    if last_phase and material.head_epochs:
        sentences.insert(0, "This is about the second phase.")
        if (material.progress.best_epoch or 0) <= material.head_epochs:
            sentences.append("It never beat the best epoch of the first phase.")
    return element("p", {"class": "reading"}, verdict, " ", " ".join(sentences))


def _legend(material: Material) -> Markup:
    keys = [("train", "training"), ("valid", "validation"), ("best", f"best epoch, {material.progress.best_epoch}")]
    if material.head_epochs:
        keys.append(("phase", "the second phase begins"))
    return element(
        "p", {"class": "legend"}, *(element("span", {}, element("i", {"class": kind}), said) for kind, said in keys)
    )


def _panel(material: Material, name: str) -> Markup:
    drawn = draw_panel(material.history, name, material.progress.best_epoch, material.head_epochs)
    return element("figure", {}, element("figcaption", {}, in_words(name)), drawn) if drawn else Markup("")


def _grid(panels: list[Markup]) -> Markup:
    return element("div", {"class": "panels"}, markup(*panels))
