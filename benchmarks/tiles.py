"""Prediction in tiles against one pass over the whole image: the same network, the same pixels, alternately.

Both sides begin with the decoded image and end with its mask. Printed is the median of megapixels per second on each
side, the ratio of the medians, how many pixels the tiles see more than once, and in how many pixels the masks differ.

    python benchmarks/tiles.py [--run RUN] [--side 2048] [--tile 1024] [--overlap 64] [--rounds 5]

Without a run it is U-Net on MobileNetV2 with initial weights: its speed does not depend on them.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from saccade.models.predictor import Predictor  # noqa: E402
from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions  # noqa: E402
from saccade.models.segmentation.task import Segmentation  # noqa: E402
from saccade.pipelines.predicting.tile_layout import Tiles, lay  # noqa: E402
from saccade.pipelines.predicting.tiles import Tiler  # noqa: E402


def unet() -> Predictor:
    options = SegmentationOptions(name="unet", backbone="mobilenet_v2")
    task = Segmentation(("background", "cell"), options, SegmentationInput())
    return Predictor(task, task.model())


def smooth_image(side: int) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (side // 16, side // 16, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", help="the folder that 'train' left, of a task that can predict in tiles")
    for name, value in {"side": 2048, "tile": 1024, "overlap": 64, "rounds": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    predictor = Predictor.load(asked.run) if asked.run else unet()
    image, tiles = smooth_image(asked.side), Tiles(asked.tile, asked.overlap)
    tiler = Tiler(predictor, tiles)

    def whole():
        return predictor(["mask"], images=image[np.newaxis])["mask"].numpy()[0]

    sides = {"whole": whole, "tiles": lambda: tiler(image)["mask"]}
    rates = {name: [] for name in sides}
    masks = {}
    for number in range(asked.rounds + 1):  # the first warms up
        for name, predict in sides.items():
            began = time.perf_counter()
            masks[name] = predict()
            if number:
                rates[name].append(image[..., 0].size / 1e6 / (time.perf_counter() - began))
    medians = {name: statistics.median(each) for name, each in rates.items()}
    laid = lay(asked.side, tiles, predictor.task.input_options.stride)
    more = (len(laid.starts) * laid.length / asked.side) ** 2 - 1
    print(
        f"{asked.side} x {asked.side}, {len(laid.starts) ** 2} tiles of {laid.length}: "
        + ", ".join(f"{name} {rate:.3f} megapixels/s" for name, rate in medians.items())
        + f", ratio {medians['tiles'] / medians['whole']:.2f}; {100 * more:.1f} % of the pixels seen again, "
        f"{100 * np.mean(masks['whole'] != masks['tiles']):.3f} % of the mask differs"
    )


if __name__ == "__main__":
    main()
