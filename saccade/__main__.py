"""`python -m saccade`."""

import sys

from .cli import main

sys.exit(main())
