"""HTML and SVG from Python values: every text is escaped, unless it is markup already."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

EMPTY = ("img", "meta", "br")  # elements without an end tag


SMALLEST = 0.6
"""To what share of its own width an SVG may shrink, before it scrolls: its text stays readable."""


class Markup(str):
    """Text that is markup and is not escaped again."""


def markup(*parts: str) -> Markup:
    """One after the other; plain strings are escaped."""
    return Markup("".join(part if isinstance(part, Markup) else html.escape(str(part)) for part in parts))


def element(name: str, attributes: Mapping[str, str | float] | None = None, *parts: str) -> Markup:
    """One element of HTML or SVG.

    Args:
        name: its tag.
        attributes: escaped, numbers with at most four decimals.
        parts: what it holds; plain strings are escaped.
    """
    shown = "".join(f' {key}="{html.escape(_text(value))}"' for key, value in (attributes or {}).items())
    return Markup(f"<{name}{shown}>" if name in EMPTY else f"<{name}{shown}>{markup(*parts)}</{name}>")


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{round(value, 4):g}"


def section(title: str, *parts: str) -> Markup:
    """A chapter of the page; none at all where it would be empty."""
    if not any(parts):
        return Markup("")
    anchor = "".join(letter if letter.isalnum() else "-" for letter in title.lower())
    return element("section", {"id": anchor}, element("h2", {}, title), *parts)


def details(summary: str, *parts: str) -> Markup:
    """A part that is opened by a click."""
    return element("details", {}, element("summary", {}, summary), *parts)


def table(head: list[str], rows: list[list[str]], kind: str = "") -> Markup:
    """A table that scrolls sideways where the page is narrower; its first column names the rows."""
    top = element("tr", {}, *(element("th", {"scope": "col"}, cell) for cell in head))
    body = [
        element("tr", {}, element("th", {"scope": "row"}, first), *(element("td", {}, cell) for cell in rest))
        for first, *rest in rows
    ]
    whole = element("table", {"class": kind}, element("thead", {}, top), element("tbody", {}, *body))
    return element("div", {"class": "scroll"}, whole)


def picture(path: Path, alt: str, largest: int) -> Markup:
    """A picture file within the page: an SVG as it is, pixels no larger than needed, as PNG or JPEG, what is smaller.

    Args:
        path: the file.
        alt: what it shows, for who cannot see it.
        largest: pixels of the longer side.
    """
    if path.suffix == ".svg":
        content = path.read_bytes()
        width = re.search(rb'<svg[^>]* width="([\d.]+)pt"', content)
        pixels = 4 / 3 * float(width.group(1)) if width else 0
        style = f"min-width: {SMALLEST * pixels:.0f}px; max-width: {pixels:.0f}px" if pixels else ""
        return _img("svg+xml", content, {"alt": alt, "style": style})
    with Image.open(path) as image:
        shown = image.convert("RGB")
    shown.thumbnail((largest, largest))
    size = {"alt": alt, "width": shown.width, "height": shown.height}
    png, jpeg = io.BytesIO(), io.BytesIO()
    shown.save(png, "PNG", optimize=True)
    shown.save(jpeg, "JPEG", quality=85)
    if len(png.getvalue()) <= 1.2 * len(jpeg.getvalue()):  # nothing lost is worth a little
        return _img("png", png.getvalue(), size)
    return _img("jpeg", jpeg.getvalue(), size)


def _img(kind: str, content: bytes, attributes: Mapping[str, str | float]) -> Markup:
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return element("img", {**attributes, "src": source})
