"""The page: every section in its order, in one file that needs nothing beside it."""

from __future__ import annotations

from pathlib import Path

from .figure_tables import breakdowns, headline_table, named_tables
from .learning import learning_curves
from .markup import Markup, element, markup
from .material import Material
from .origin import data, provenance
from .pictures import evaluation_figures, mistakes, suspects, training_pictures
from .summary import summary

SECTIONS = (
    headline_table,
    learning_curves,
    evaluation_figures,
    named_tables,
    breakdowns,
    mistakes,
    suspects,
    training_pictures,
    data,
    provenance,
)
"""What a reader wants first stands first."""


def page(material: Material) -> str:
    """The whole HTML page."""
    style = Markup((Path(__file__).parent / "page.css").read_text(encoding="utf-8"))
    title = f"{material.folder.resolve().name}: report"
    head = element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("title", {}, title),
        element("style", {}, style),
    )
    sections = [write(material) for write in SECTIONS]
    body = element("body", {}, element("main", {}, summary(material), *sections))
    return markup(Markup("<!doctype html>\n"), element("html", {"lang": "en"}, head, body), Markup("\n"))
