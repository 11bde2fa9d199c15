"""`first_fetches.py FILE NUMBER`: in each of so many forks, four threads decode the Arrow stream in FILE at once.

What they find together for the first time in a process is what the Snowflake connector sets up but once.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from snowflake.connector.arrow_context import ArrowConverterContext
from snowflake.connector.nanoarrow_arrow_iterator import PyArrowRowIterator


def fetch(data: bytes) -> None:
    assert len([*PyArrowRowIterator(None, data, ArrowConverterContext(), False, False, False, True)]) == 2


def main(file: str, number: str) -> None:
    data, gate = Path(file).read_bytes(), threading.Barrier(4)
    sys.setswitchinterval(1e-6)  # what else happens once in some hundred runs of dbt happens in most
    for _ in range(int(number)):
        if (pid := os.fork()) == 0:
            threads = [threading.Thread(target=lambda: (gate.wait(), fetch(data))) for _ in range(4)]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0


if __name__ == "__main__":
    main(*sys.argv[1:])
