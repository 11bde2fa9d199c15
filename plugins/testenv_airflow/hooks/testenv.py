"""How tasks, triggers and the UI reach the engine."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.hooks.base import BaseHook

from testenv.config import Config
from testenv.core.errors import Terminal, TestenvError

if TYPE_CHECKING:
    from testenv.engine import Engine
    from testenv.ledger import LedgerReader
    from testenv.moves import Mover
    from testenv.reaper import Reaper
    from testenv.verdicts import Validator


class TestenvHook(BaseHook):
    """The engine and the ledger of this deployment.

    Their settings stand in the process' environment variables (docs/architecture.md) and not in an Airflow connection:
    the tests and the command-line tools read the same ones.
    """

    __test__ = False  # pytest collects classes whose names begin with "Test"

    @cached_property
    def config(self) -> Config:
        """The settings of the deployment. Raises `Invalid` naming those that are missing."""
        return Config.from_environ()

    @cached_property
    def engine(self) -> Engine:
        """The engine on the real systems."""
        from testenv.backends.registry import connect_engine  # vendor libraries: not at parse time

        return connect_engine(self.config)

    @cached_property
    def reaper(self) -> Reaper:
        """What looks after all environments."""
        from testenv.backends.registry import connect_reaper

        return connect_reaper(self.config, self.engine)

    @cached_property
    def mover(self) -> Mover:
        """What moves environments to other dataset versions."""
        from testenv.moves import Mover

        return Mover(self.engine)

    @cached_property
    def validator(self) -> Validator:
        """What judges releases."""
        from testenv.backends.registry import connect_validator

        return connect_validator(self.config, self.engine)

    @cached_property
    def reader(self) -> LedgerReader:
        """The ledger, to read."""
        from testenv.ledger import LedgerReader

        return LedgerReader(self.config.ledger_url)

    def get_conn(self) -> Engine:
        return self.engine


@functools.cache
def shared_engine() -> Engine:
    """One engine for all that wait in a triggerer: making one, and its connections, costs more than a question."""
    return TestenvHook().engine


@contextmanager
def airflow_errors() -> Iterator[None]:
    """The engine's errors as Airflow's: what is `Terminal` is not retried, what is `Transient` may be."""
    try:
        yield
    except Terminal as error:
        raise AirflowFailException(str(error)) from error
    except TestenvError as error:
        raise AirflowException(str(error)) from error
