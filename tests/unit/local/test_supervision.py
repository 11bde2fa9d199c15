"""The configuration of supervisord."""

from __future__ import annotations

import configparser
from pathlib import Path

from local.home import Home
from local.supervision import Program, Supervisor


def test_a_program_is_launched_with_its_file_restarted_and_stopped_with_its_group(tmp_path: Path) -> None:
    supervisor = Supervisor(Home(tmp_path), "hush")
    program = Program("kafka", ("java", "-D100%", "a b"), Path("/e nv"), tmp_path / "kafka.log", "INT")
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(supervisor.configuration([program]))
    section = parser["program:kafka"]
    assert section["command"].endswith("-m local.launch '/e nv' java -D100%% 'a b'")
    assert section["stopsignal"] == "INT"
    for setting in ("autorestart", "stopasgroup", "killasgroup"):
        assert section[setting] == "true"
    assert section["autostart"] == "false"


def test_the_control_socket_is_a_file_behind_a_password(tmp_path: Path) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(Supervisor(Home(tmp_path), "hush").configuration([]))
    assert parser["unix_http_server"]["file"] == str(tmp_path / "run/supervisor.sock")
    assert parser["unix_http_server"]["chmod"] == "0600"
    assert parser["unix_http_server"]["password"] == "hush"
    assert "inet_http_server" not in parser
