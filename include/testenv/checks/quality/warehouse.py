"""What the quality check needs of a trial besides its record: a login, and where the copies of a moment stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Warehouse(Protocol):
    """The environment's Snowflake, for a tool that logs in by itself."""

    def connection_parameters(self) -> Mapping[str, Any]:
        """`account`, `user`, `private_key`, `role`, `database`, `warehouse`; `host` and `port` where it has them.

        The key is in PEM, or its DER in base64. The login is the environment's own: it sees what the pipelines see.
        """
        ...

    def place(self, moment: str, name: str) -> str:
        """`SCHEMA.TABLE` of the copy that holds the table `name` as it was at a moment. Raises `NotFound`."""
        ...
