"""Every error the engine raises, in one tree.

TestenvError
├── Transient               trying again may help; Airflow retries
│   ├── Unavailable         a system did not answer, or not in time
│   └── Busy                a system answered, and asked to come back later
└── Terminal                trying again changes nothing; Airflow does not retry
    ├── Invalid             the request is wrong: what was got, what is allowed
    │   ├── InvalidName     outside the grammar or the reserved namespace, or a name of production
    │   ├── UnknownKey      a key the request may not have
    │   ├── UnknownRef      a git reference that does not exist
    │   ├── UnknownDataset  a dataset version, or a tape set, that does not exist
    │   └── InvalidCatalog  a file of include/catalog that does not hold what it must
    ├── NotFound            an environment the ledger does not know
    │   └── NoRows          what is there holds no row
    ├── Conflict            the environment is in a state, or of an owner, that forbids this
    ├── Refused             admission says no: who holds the places
    ├── Denied              a system refused the credentials or the privilege
    ├── Drifted             an environment is not what its specification says
    └── Failed              a system did what was asked, and it went wrong
"""

from __future__ import annotations


class TestenvError(Exception):
    """Root of the engine's errors. The message says what was wrong, what was got, and what to do."""

    __test__ = False  # pytest collects classes whose names begin with "Test"


class Transient(TestenvError):
    """Trying again may help."""


class Terminal(TestenvError):
    """Trying again changes nothing."""


class Unavailable(Transient):
    """A system did not answer, or not in time."""


class Busy(Transient):
    """A system answered, and asked to come back later."""


class Invalid(Terminal):
    """The request is wrong."""


class InvalidName(Invalid):
    """A name outside the grammar or the reserved namespace, or a name of production."""


class UnknownKey(Invalid):
    """A key the request may not have."""


class UnknownRef(Invalid):
    """A git reference that does not exist in the repository under test."""


class UnknownDataset(Invalid):
    """A dataset version, or a tape set, that does not exist."""


class InvalidCatalog(Invalid):
    """A file of include/catalog that does not hold what it must."""


class NotFound(Terminal):
    """An environment the ledger does not know."""


class NoRows(NotFound):
    """What is there holds no row."""


class Conflict(Terminal):
    """The environment's state forbids this."""


class Refused(Terminal):
    """Admission says no."""


class Denied(Terminal):
    """A system refused the credentials or the privilege."""


class Drifted(Terminal):
    """An environment is not what its specification says."""


class Failed(Terminal):
    """A system did what was asked, and it went wrong."""
