"""Loopback ports."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from local import ports
from local.errors import StackError


def test_chosen_ports_are_free_and_different() -> None:
    chosen = ports.choose(["a", "b", "c"])
    assert list(chosen) == ["a", "b", "c"]
    assert len(set(chosen.values())) == 3
    assert all(ports.is_free(port) for port in chosen.values())


def test_a_port_in_use_is_refused_with_its_listener_and_the_remedy() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_free(port)
        assert ports.is_open(port)
        with pytest.raises(
            StackError, match=rf"port {port}, wanted for kafka, is in use by pid {os.getpid()} .*--free"
        ):
            ports.require_free("kafka", port)


def test_a_free_port_is_accepted() -> None:
    port = ports.choose(["one"])["one"]
    ports.require_free("kafka", port)
    assert not ports.is_open(port)


def test_ports_are_remembered(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    assert ports.recall(path) is None
    ports.remember(path, {"kafka": 1})
    assert ports.recall(path) == {"kafka": 1}
