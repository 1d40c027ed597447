"""Tiles keep to the memory that is promised for them."""

import subprocess
import sys

import numpy as np
import pixel_task
from PIL import Image

from saccade.models.predictor import Predictor

MEASURED = """
import resource, sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1])
import pixel_task
from saccade.models.predictor import Predictor
from saccade.pipelines.predicting.predict import predict
from saccade.pipelines.predicting.tile_layout import Tiles

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

task = pixel_task.make(stride=32)
predictor = Predictor(task, task.model())
small, large = ((each, lambda each=each: {"bytes": Path(each).read_bytes()}) for each in sys.argv[2:4])
tiles = Tiles(512, 64)
next(predict(predictor, [small], tiles=tiles))  # the graph and its buffers for one tile
before = peak()
(answer,) = predict(predictor, [large], tiles=tiles)
assert answer.results["mask"].shape == (8000, 8000), answer.reason
print(peak() - before, answer.results["mask"][::100, ::100].tobytes().hex())
"""


def test_memory_is_bounded_by_the_image_its_mask_and_a_row_of_tiles(root, tmp_path):
    """8,000 x 8,000 pixels in a process of its own: the peak against the same process after a small image."""
    rows, columns = np.ogrid[:8000, :8000]
    image = np.empty((8000, 8000, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = rows // 16, columns // 16, (rows + columns) // 64
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    Image.fromarray(image[:960, :1856]).save(small)
    Image.fromarray(image).save(large, compress_level=1)
    command = [sys.executable, "-c", MEASURED, str(root / "tests" / "shared"), str(small), str(large)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr
    used, seen = done.stdout.split()
    row = 512 * 8000 * 3 * 4  # of tiles: probabilities of three classes in float32
    assert int(used) < image.nbytes + 8000 * 8000 + row + large.stat().st_size + 60e6
    task = pixel_task.make(stride=32)
    predictor = Predictor(task, task.model())
    mask = np.frombuffer(bytes.fromhex(seen), np.uint8).reshape(80, 80)
    part = pixel_task.whole(predictor, image[:2001, :2001])
    agree = mask[:20, :20] == part["mask"][:2000:100, :2000:100]
    assert agree.mean() > 0.98 and len(np.unique(mask)) > 1
