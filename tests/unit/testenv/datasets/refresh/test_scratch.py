"""The folder of a refresh: one for each run, and none that outlives its worker for long."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from testenv.datasets.refresh.scratch import scratch


def test_it_is_gone_afterwards_and_another_run_s_stays(tmp_path: Path) -> None:
    with scratch(tmp_path / "refresh") as one:
        (one / "file").write_text("masked")
        with scratch(tmp_path / "refresh") as other:
            assert one != other
            assert (one / "file").exists()
        assert not other.exists()
    assert list((tmp_path / "refresh").iterdir()) == []


def test_what_a_killed_worker_left_goes_with_the_next(tmp_path: Path) -> None:
    worker = os.fork()
    if not worker:
        with scratch(tmp_path) as folder:
            (folder / "file").write_text("masked")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(worker, 0)
    assert len(list(tmp_path.glob("*/file"))) == 1
    with scratch(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]
