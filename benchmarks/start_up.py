"""How fast the command line answers where it needs no TensorFlow, beside the import of TensorFlow alone.

python benchmarks/start_up.py
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 7
COMMANDS = {
    "--help": ["-m", "saccade", "--help"],
    "misspelt verb": ["-m", "saccade", "trian"],
    "misspelt key": ["-m", "saccade", "train", "digits", "train.epoch=3"],
    "wrong type": ["-m", "saccade", "train", "digits", "train.epochs=many"],
    "misspelt model": ["-m", "saccade", "train", "digits", "model.name=lenett"],
    "misspelt task": ["-m", "saccade", "train", "clasification"],
    "missing folder": ["-m", "saccade", "train", "classification", "data.path=/no/such/folder"],
    "import tensorflow": ["-c", "import tensorflow"],
}


def main() -> None:
    seconds = {name: [] for name in COMMANDS}
    for number in range(ROUNDS + 1):  # the first fills the caches
        for name, arguments in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], capture_output=True)
            if number:
                seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    for name, median in medians.items():
        print(f"{name:<18} {median:6.2f} s   {median / medians['import tensorflow']:5.3f} of importing TensorFlow")


if __name__ == "__main__":
    main()
