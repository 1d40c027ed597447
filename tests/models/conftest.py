"""Images for the tests of models."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def random_images():
    """`images(n, height, width)`: float32 `[n, height, width, 3]`, whole numbers 0..255, smooth and all different."""

    def make(count: int, height: int, width: int) -> np.ndarray:
        generator = np.random.default_rng(count * height * width)
        coarse = generator.uniform(0, 255, (count, 4, 4, 3))
        rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
        return np.round(coarse[:, rows][:, :, columns]).astype(np.float32)

    return make
