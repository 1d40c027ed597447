"""How tiles lie along the sides of an image, and what each of their pixels weighs; free of TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...models.errors import InputError

OVERLAP = 64
"""Pixels that neighbouring large tiles share at least, unless told: twice the coarsest stride of the usual networks."""


@dataclass(frozen=True)
class Tiles:
    """What a person asks for.

    Attributes:
        tile: the side of a tile in pixels, at most.
        overlap: what neighbouring tiles share, in pixels, at least.

    Raises:
        InputError: sizes that no image can be cut into.
    """

    tile: int
    overlap: int = OVERLAP

    def __post_init__(self) -> None:
        if self.tile < 3:
            raise InputError(f"tile {self.tile}: give a tile's side in pixels, as 1024")
        if self.overlap < 1:
            raise InputError(f"overlap {self.overlap}: tiles share at least 1 pixel, or their seams show")
        if 2 * self.overlap >= self.tile:
            raise InputError(
                f"overlap {self.overlap} is not smaller than half of tile {self.tile}: take an overlap of at most "
                f"{(self.tile - 1) // 2}, or larger tiles"
            )

    def check(self, stride: int) -> None:
        """Refuses what does not go with the model's coarsest stride.

        Raises:
            InputError: tiles that the stride does not divide, or too small for the overlap in steps of it.
        """
        if self.tile % stride:
            fitting = sorted({max(1, self.tile // stride) * stride, (self.tile // stride + 1) * stride})
            raise InputError(
                f"tile {self.tile} is no multiple of input.stride {stride}: take {' or '.join(map(str, fitting))}"
            )
        steps = _round_up(self.overlap, stride)
        if 2 * steps > self.tile:
            raise InputError(
                f"overlap {self.overlap} is {steps} in steps of input.stride {stride}, more than half of tile "
                f"{self.tile}: take tiles of at least {_round_up(2 * steps, stride)}"
            )


def as_asked(tile: int | None, overlap: int | None) -> Tiles | None:
    """Tiles as a person asks for them, None for none; small ones overlap by a quarter unless told.

    Raises:
        InputError: as `Tiles`; or an overlap of no tiles.
    """
    if tile is None and overlap is not None:
        raise InputError(f"overlap {overlap} is of tiles, and there are none: give the tile's side too, as 1024")
    if tile is None:
        return None
    return Tiles(tile, max(1, min(OVERLAP, tile // 4)) if overlap is None else overlap)


@dataclass(frozen=True)
class Side:
    """The tiles along one side of an image.

    Attributes:
        starts: where each begins, in pixels; multiples of the stride, so that the network's coarse grid lies in each
            tile as it does in the whole.
        length: of every tile, a multiple of the stride.
        weights: float32 `[tiles, length]`: what each pixel of each tile counts; at every place of the image they sum
            to 1.
    """

    starts: tuple[int, ...]
    length: int
    weights: np.ndarray

    @property
    def end(self) -> int:
        """Where the last tile ends: the image's side rounded up to the stride."""
        return self.starts[-1] + self.length


def lay(pixels: int, tiles: Tiles, stride: int) -> Side:
    """The fewest tiles that cover a side, all of one length, which is the smallest that does.

    Args:
        pixels: of the image's side.
        tiles: what was asked for, and passed `check`.
        stride: of the model.
    """
    whole, most, shared = -(-pixels // stride), tiles.tile // stride, -(-tiles.overlap // stride)  # in strides
    count = max(1, -(-(whole - shared) // (most - shared)))
    length = -(-(whole + (count - 1) * shared) // count)
    starts = tuple(place * (whole - length) // max(1, count - 1) * stride for place in range(count))
    return Side(starts, length * stride, _weights(starts, length * stride))


def _weights(starts: tuple[int, ...], length: int) -> np.ndarray:
    """Linear ramps from one tile to the next; those outer ends that lie on the image's border keep their weight."""
    weights = np.ones((len(starts), length))
    for place in range(1, len(starts)):
        rising = _ramp(starts[place - 1] + length - starts[place])
        weights[place, : len(rising)] *= rising
        weights[place - 1, length - len(rising) :] *= 1 - rising
    total = np.zeros(starts[-1] + length)
    for start, each in zip(starts, weights, strict=True):
        total[start : start + length] += each
    for start, each in zip(starts, weights, strict=True):  # 1 already, but where a third tile reaches into the overlap
        each /= total[start : start + length]
    return weights.astype(np.float32)


def _ramp(overlap: int) -> np.ndarray:
    """From 0 to 1 over the middle half of an overlap: in its outer quarters only that tile counts which sees further
    there, as next to a tile's end the network looks into the padding."""
    margin = overlap // 4
    return np.clip((np.arange(overlap) + 0.5 - margin) / (overlap - 2 * margin), 0.0, 1.0)


def _round_up(pixels: int, stride: int) -> int:
    return -(-pixels // stride) * stride
