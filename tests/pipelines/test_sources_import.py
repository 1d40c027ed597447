"""Recipes are checked before the heavy libraries are loaded."""

import subprocess
import sys

HEAVY = ("tensorflow", "tensorflow_datasets", "keras", "sklearn", "pandas", "PIL", "albumentations")


def test_sources_and_splits_are_light(root):
    program = (
        "import sys, saccade.pipelines.data.splits as _\n"
        "from saccade.pipelines.data.formats import SOURCES, find_source\n"
        "for name in SOURCES: find_source(name).Options\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
