"""One stack as its parts see it: where it lives, how it is set up, its ports and its secrets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from local import java, ports, tls
from local.home import Home, venv_bin
from local.secret_store import SecretStore
from local.settings import Settings


@dataclass(frozen=True)
class Site:
    """Handed to every part. Cheap to make; what costs is made when first asked for."""

    home: Home
    settings: Settings
    ports: Mapping[str, int]
    secrets: SecretStore

    @classmethod
    def open(cls, root: Path, settings: Settings) -> Site:
        """The stack at ROOT, on the ports it was last started on, else on those of the settings."""
        home = Home.at(root)
        chosen = ports.recall(ports_file(home)) or settings.ports
        return cls(home, settings, chosen, SecretStore(home.root / "secrets.json"))

    @cached_property
    def java(self) -> Path:
        return java.find_java(self.settings.versions["java"])

    @cached_property
    def certificates(self) -> tls.Certificates:
        return tls.ensure(self.home.tls, dt.datetime.now(dt.UTC))

    @property
    def local_python(self) -> str:
        return str(venv_bin("local"))

    def address(self, name: str) -> str:
        """`127.0.0.1:PORT` of the port NAME."""
        return f"{ports.LOOPBACK}:{self.ports[name]}"


def ports_file(home: Home) -> Path:
    return home.root / "ports.json"
