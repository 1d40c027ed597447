"""The colours of masks, and the line of the recipe that makes them classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .mask_encoding import MANY, pixels
from .mask_options import Color
from .mask_sample import Seen

_TINY = 0.005  # of all pixels
_FEW = 0.1  # of the masks


@dataclass(frozen=True)
class FoundColors:
    """Colours of the masks that were looked at.

    Attributes:
        classes: colour to pixels, of those that look like classes.
        strays: the same of the others, with next to no pixels and in few masks: rather mistakes.
        first_stray: the first mask that holds one of them.
    """

    classes: Counter[Color]
    strays: Counter[Color]
    first_stray: str

    def line(self, in_place_of_classes: bool) -> str:
        """What to write below data, by colour, so that black comes first, which is the background as a rule."""
        found = sorted(color for color, _ in self.classes.most_common(MANY))
        line = "colors: {" + ", ".join(f"class_{at}: {list(color)}" for at, color in enumerate(found)) + "}"
        instead = " in place of classes," if in_place_of_classes else ""
        return f"'{line}'{instead} with your names and the background first{self.left_out()}"

    def left_out(self) -> str:
        """Of the strays, in parentheses after a line that does without them; "" without any."""
        if not self.strays:
            return ""
        told = [_named(color) for color in sorted(self.strays)]
        what = told[0] if len(told) == 1 else f"{len(told)} values such as {told[0]}"
        return f" (without {what}, too rare: {pixels(self.strays.total())}, first in {self.first_stray})"


def find_colors(seen: Sequence[Seen]) -> FoundColors:
    """Tells classes from strays.

    Args:
        seen: what masks hold, none of them `deep`.
    """
    counts, masks = Counter[Color](), Counter[Color]()
    for each in seen:
        held = each.in_colors()
        counts.update(held)
        masks.update(held.keys())
    few = max(1, _FEW * len(seen)) if len(seen) > 1 else 0
    total = counts.total()
    strays = Counter({color: n for color, n in counts.items() if n < _TINY * total and masks[color] <= few})
    if len(strays) == len(counts):  # as of pure noise
        strays.clear()
    first = next((each.name for each in seen if not strays.keys().isdisjoint(each.in_colors())), "")
    return FoundColors(counts - strays, strays, first)


def _named(color: Color) -> str:
    return str(color[0]) if len(set(color)) == 1 else str(list(color))
