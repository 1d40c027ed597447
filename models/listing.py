"""The table of a task's networks, from what is known without building them; free of TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .backbones.families import LICENCES
from .backbones.network import Network

if TYPE_CHECKING:
    from .contract import Task

HEADER = ("name", "weights", "float32", "smallest", "ImageNet", "levels", "licence of ImageNet weights")
NOTES = (
    "weights: without a top; float32: their size; smallest: input, in pixels a side; ImageNet: pixels a side of the",
    "images that the ImageNet weights were trained on; levels: strides of the finest and the coarsest, for",
    "model.freeze and for tasks that look at several scales (32 n: where both sides are multiples of 32);",
    f"licence: {LICENCES}",
)


def networks_of(task: type[Task]) -> dict[str, Network]:
    """What is known of each network that a task offers by name."""
    return {name: task.networks.get(name, Network(target)) for name, target in task.models.items()}


def table(networks: Mapping[str, Network]) -> str:
    """Aligned lines: a header, one line a network, and what the columns mean."""
    rows = [HEADER, *(_row(name, network) for name, network in networks.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join([*(_line(row, widths) for row in rows), "", *NOTES])


def _row(name: str, network: Network) -> tuple[str, ...]:
    levels = "-".join(str(stride) for stride in sorted({*network.strides[:1], *network.strides[-1:]}))
    return (
        name,
        "-" if network.parameters is None else f"{network.parameters / 1e6:.2f} M",
        "-" if network.megabytes is None else f"{network.megabytes:.1f} MB",
        str(network.minimum or "-"),
        str(network.native or "-"),
        (levels or "-") + (f" ({network.multiple} n)" if network.multiple > 1 else ""),
        network.licence or "-",
    )


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    """Names, levels and licences stand left, numbers right."""
    cells = (
        cell.ljust(width) if i in (0, 5, 6) else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()
