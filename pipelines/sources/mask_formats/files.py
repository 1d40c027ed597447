"""The masks of a source: found, understood, and read one by one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ....models.contract import Truth
from ....models.errors import InputError
from ....models.inputs.file_tree import FileTree
from ....models.inputs.exports import labelmap_beside
from .detection import Detection
from .image import LOSSY, WHY_LOSSY, MaskImage, check_turn, read_mask
from .options import MaskOptions
from .sample import look_at

OFFERED = {"mask": Truth("uint8", (None, None)), "instances": Truth("uint16", (None, None))}
"""What mask files bring; `instances` where they hold object numbers."""

_log = logging.getLogger(__name__)


class MaskFiles:
    """One mask file a sample; safe to read from many threads.

    Args:
        tree: where they lie.
        paths: in it, in the order of the samples.
        options: what their pixels mean.
        truth: what the task wants of them, of `OFFERED`.
        place: what a person calls them all, for messages.
        read_picture: the encoded picture at a position.

    Attributes:
        class_names: in the order of their ids.

    Raises:
        InputError: masks that lose class ids, whose encoding is ambiguous or contradicts the options, or without the
            objects that the task wants.
    """

    def __init__(
        self,
        tree: FileTree,
        paths: Sequence[str],
        options: MaskOptions,
        truth: Mapping[str, Truth],
        place: str,
        read_picture: Callable[[int], bytes],
    ):
        self._tree, self._paths, self._read_picture = tree, paths, read_picture
        self._dtypes = {name: np.dtype(wanted.dtype) for name, wanted in truth.items()}
        self._upright: set[int] = set()  # positions whose picture's EXIF was looked at
        lossy = [path for path in paths if path.lower().rpartition(".")[2] in LOSSY]
        if lossy:
            kind = "WebP" if lossy[0].lower().endswith("webp") else "JPEG"
            raise InputError(f"{place}: {len(lossy)} of {len(paths)} masks are {kind} (first {lossy[0]}): {WHY_LOSSY}")
        self._encoding, found = Detection(
            lambda: look_at(paths, self._image), options, place, lambda: labelmap_beside(tree)
        ).encoding()
        self.class_names = self._encoding.class_names
        if "instances" in truth and self._encoding.name != "instances":
            raise InputError(
                f"{place}: {found}: they do not tell objects apart, and the task wants 'instances' (model.instances): "
                "give masks that number objects"
            )
        _log.info("masks: %s", found)

    def truth(self, position: int) -> dict[str, np.ndarray]:
        """The wanted truth of one sample.

        Raises:
            OSError: the mask cannot be read.
            InputError: it is wrong; how, in a phrase. A `RecipeError` where it shows a class that nobody named.
        """
        image = self._image(position)
        try:
            if position not in self._upright:
                check_turn(image.size, self._read_picture(position))
                self._upright.add(position)
            values = self._encoding.decode(image)
        except InputError as error:
            raise self._told(position, error) from None
        return {name: values[name].astype(dtype, copy=False) for name, dtype in self._dtypes.items()}

    def stamp(self, position: int, picture: str | None) -> str | None:
        """What changes whenever the picture, by its own stamp, or the mask does; None where that cannot be told."""
        mask = self._tree.stamp(self._paths[position])
        return None if picture is None or mask is None else f"{picture} {mask}"

    def _image(self, position: int) -> MaskImage:
        data = self._tree.read(self._paths[position])
        try:
            return read_mask(data)
        except InputError as error:
            raise self._told(position, error) from None

    def _told(self, position: int, error: InputError) -> InputError:
        return type(error)(f"mask {self._tree.where(self._paths[position])}: {error}")
