"""What the terminal shows: saccade's own log lines, and not TensorFlow's start-up chatter, but its every warning and
error."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

# What its libraries say while they load, before any variable can silence them; what it says where no GPU is; and what
# it says once, of no consequence, when it first transposes bytes (which turning a photo upright takes).
CHATTER = r"^I0000 |^WARNING: All log messages before absl::|cuda_platform.*cuInit.*\(303\)|oneDNN supports DT_UINT8"


def log_to_stderr(always: bool = False) -> None:
    """Shows the log on stderr, unless the program has a log of its own: whoever sets one up (`logging.basicConfig`)
    gets the lines there.

    Args:
        always: as the command line, whoever listens besides.
    """
    log = logging.getLogger("saccade")
    if not any(isinstance(handler, _BarAwareHandler) for handler in log.handlers):
        log.addHandler(_BarAwareHandler())
    if always:
        log.propagate = False
    if always or log.level == logging.NOTSET:
        log.setLevel(logging.INFO)
    # Without a home it can write to, matplotlib keeps its cache in a temporary folder: nothing that a person must mend.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


class _BarAwareHandler(logging.Handler):
    """Log lines on stderr that leave a progress bar in one piece."""

    def emit(self, record: logging.LogRecord) -> None:
        if logging.getLogger("saccade").propagate and logging.getLogger().handlers:
            return  # the root's handlers have it

        from tqdm import tqdm

        prefix = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        tqdm.write(prefix + self.format(record), file=sys.stderr)  # with the traceback, where one is logged


class QuietTensorFlow(MetaPathFinder):
    """Put first into `sys.meta_path`, it filters stderr while TensorFlow is imported and looks for devices, once."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            load = spec.loader.exec_module

            def load_quietly(module):
                with _without_chatter():
                    load(module)
                    module.config.list_physical_devices()
                    module.function(module.transpose)(module.zeros([2, 3], module.uint8))

            spec.loader.exec_module = load_quietly
        return spec


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Leads stderr through grep: a process of its own loses nothing, even when this one is aborted."""
    grep = shutil.which("grep")
    if grep is None or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        yield
        return
    sys.stderr.flush()
    real = os.dup(2)
    with subprocess.Popen([grep, "--line-buffered", "-vE", CHATTER], stdin=subprocess.PIPE, stdout=real) as child:
        os.dup2(child.stdin.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
