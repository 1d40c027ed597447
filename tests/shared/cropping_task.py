"""A task whose input does something in Python before the graph: it crops an image to what is not black."""

import io
from hashlib import blake2b

import numpy as np
from PIL import Image

from saccade.models.classification.task import Classification
from saccade.models.inputs.image import ImageInput


class CroppedImage(ImageInput):
    """Remembers what it did by the content of each file."""

    known = {}

    def prepare(self, raws):
        return [self._cropped(raw["bytes"]) for raw in raws]

    def _cropped(self, data):
        digest = blake2b(data, digest_size=16).digest()
        if digest not in self.known:
            pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
            rows, columns = np.nonzero(pixels.max(axis=2) > 16)
            if not len(rows):
                self.known[digest] = "nothing but black"
            else:
                stream = io.BytesIO()
                part = pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
                Image.fromarray(part).save(stream, "PNG")
                self.known[digest] = {"bytes": stream.getvalue()}
        return self.known[digest]


class Cropped(Classification):
    Input = CroppedImage
