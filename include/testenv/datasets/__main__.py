"""`python -m testenv.datasets publish-seed`: publish the repository's seed data as a dataset version."""

from __future__ import annotations

import sys

from testenv.config import Config
from testenv.core.errors import TestenvError
from testenv.datasets.seed import publish_seed

if __name__ == "__main__":
    if sys.argv[1:] != ["publish-seed"]:
        sys.exit("usage: python -m testenv.datasets publish-seed")
    try:
        print(publish_seed(Config.from_environ()))
    except TestenvError as error:
        sys.exit(f"error: {error}")
