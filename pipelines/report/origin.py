"""Where the run comes from: its data and what was wrong with it, versions, fingerprints, the recipe."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..progress import span
from ..run import QUARANTINE
from .markup import Markup, details, element, markup, section, table
from .material import Material

MOST_ROWS = 50


def data(material: Material) -> Markup:
    """Counts by split, and what the check found: bad samples, leaks, duplicates, oddities."""
    counts = [[name, f"{count:,}"] for name, count in material.samples.items()]
    parts: list[Markup] = [table(["split", "samples"], counts, "narrow")]
    bad = _quarantine(material)
    parts.append(_listing("cannot be used and were left out", ["where", "reason"], bad))
    if (found := material.findings) is not None:
        leaks = [[_place(one), _place(other)] for one, other in found["leaks"]]
        parts.append(_listing("stand in two splits byte for byte", ["one", "the other"], leaks))
        labels = [[_place(one), _place(other)] for one, other in found.get("contradictions", [])]
        parts.append(_listing("are one image under two labels", ["one", "the other"], labels))
        absent = found.get("absent", [])
        if absent:
            parts.append(element("p", {}, f"Classes that no training sample holds: {', '.join(absent)}."))
        notes = [[note["where"], note["note"]] for note in found["notes"]]
        parts.append(_listing("are odd but usable", ["where", "what"], notes))
        if found["duplicates"]:
            parts.append(element("p", {}, f"{found['duplicates']:,} samples repeat another of their split."))
        if not (bad or leaks or labels or absent or notes or found["duplicates"]):
            clean = "All can be read; none stands in two splits or repeats another."
            parts.append(element("p", {}, clean))
    return section("Data", *parts)


def provenance(material: Material) -> Markup:
    """Everything that it takes to make the run again."""
    known = material.provenance
    rows = [
        ["command", element("code", {}, known["command"])],
        ["seed", str(known["seed"])],
        ["data fingerprint", element("code", {}, known["data"]["fingerprint"])],
        ["model fingerprint", element("code", {}, material.fingerprint)],
        ["versions", ", ".join(f"{name} {version}" for name, version in known["packages"].items())],
        ["machine", f"{known['machine']}, Python {known['python']}"],
        *_members(known),
        *_dates(material),
        *_durations(material.history),
    ]
    recipe = details("the recipe, resolved", element("pre", {}, material.recipe_text))
    return section("Provenance", table(["", ""], rows, "facts"), recipe)


def _members(known: Mapping[str, Any]) -> list[list[str]]:
    """The runs that an ensemble was made of."""
    members = known.get("ensemble", {}).get("members", [])
    return [["made of", markup(each["run"], " ", element("code", {}, each["fingerprint"]))] for each in members]


def _dates(material: Material) -> list[list[str]]:
    """When the log begins and ends."""
    path = material.folder / "log.txt"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    times = re.findall(r"^(\d{4}-\d\d-\d\d \d\d:\d\d):\d\d", text, re.MULTILINE)
    return [["trained", f"{times[0]} to {times[-1]}"]] if times else []


def _durations(history: Sequence[Mapping[str, float]]) -> list[list[str]]:
    rows = []
    if seconds := [line["seconds"] for line in history if "seconds" in line]:
        rows.append(["duration", f"{span(sum(seconds))}, {span(sorted(seconds)[len(seconds) // 2])} an epoch (median)"])
    if rates := [line["pictures_per_second"] for line in history if "pictures_per_second" in line]:
        rows.append(["rate", f"{sorted(rates)[len(rates) // 2]:.0f} pictures/s (median), validation not counted"])
    return rows


def _quarantine(material: Material) -> list[list[str]]:
    path = material.folder / QUARANTINE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    entries = [json.loads(line) for line in lines]
    return [[entry["where"], entry["reason"]] for entry in entries]


def _place(sample: Mapping[str, Any]) -> str:
    truth = f": {sample['truth']}" if "truth" in sample else ""
    return f"{sample['where']} ({sample['split']}){truth}"


def _listing(what: str, head: list[str], rows: list[list[str]]) -> Markup:
    """How many samples something holds for, and which."""
    if not rows:
        return Markup("")
    rest = len(rows) - MOST_ROWS
    more = [element("p", {"class": "note"}, f"and {rest:,} more")] if rest > 0 else []
    return details(f"{len(rows):,} {what}", markup(table(head, rows[:MOST_ROWS], "listing"), *more))
