"""Whatever a vendor raises becomes exactly one of ours, and `Transient` only where trying again helps."""

from __future__ import annotations

import inspect
import string
from types import SimpleNamespace
from typing import Any

import psycopg2
import psycopg2.errors
import pytest
from botocore import exceptions as boto
from confluent_kafka import KafkaError, KafkaException
from psycopg2 import errorcodes
from snowflake.connector import errorcode
from snowflake.connector import errors as snowflake

from testenv.backends.aws import of_client_error, of_core_error, translate
from testenv.backends.errors import (
    _KAFKA,
    is_refused_login,
    kafka_errors,
    of_kafka,
    of_postgres,
    of_snowflake,
    postgres_errors,
    snowflake_errors,
)
from testenv.core.errors import Busy, Denied, Failed, Terminal, TestenvError, Transient, Unavailable


def is_one_of_ours(error: Exception) -> bool:
    """Exactly one branch, and words that say who spoke."""
    assert isinstance(error, TestenvError)
    assert isinstance(error, Transient) != isinstance(error, Terminal)
    assert str(error).split(":")[0] in ("Postgres", "Snowflake", "Kafka")
    return True


# ---------------------------------------------------------------- Postgres

PG_CLASSES = [c for c in vars(psycopg2.errors).values() if inspect.isclass(c) and issubclass(c, psycopg2.Error)]


class Spoken(psycopg2.Error):
    """An error of the server, as psycopg2 makes it: `pgcode` and `diag` are its own."""

    pgcode: Any = None
    diag: Any = SimpleNamespace(message_primary="said")

    @classmethod
    def of(cls, sqlstate: str | None, said: str = "said") -> Spoken:
        error = cls(said)
        error.pgcode, error.diag = sqlstate, SimpleNamespace(message_primary=said)
        return error


def test_every_sqlstate_that_psycopg2_knows_is_translated() -> None:
    states = [code for code in vars(errorcodes).values() if isinstance(code, str) and len(code) == 5 and code.isalnum()]
    assert len(states) > 230
    assert all(is_one_of_ours(of_postgres(Spoken.of(state))) for state in states)


def test_every_class_that_psycopg2_raises_is_translated() -> None:
    assert len(PG_CLASSES) > 200
    assert all(is_one_of_ours(of_postgres(kind("said"))) for kind in PG_CLASSES)


@pytest.mark.parametrize(
    ("sqlstate", "ours"),
    [
        ("08006", Unavailable),
        ("57P03", Unavailable),
        ("57014", Unavailable),
        ("40P01", Busy),
        ("53300", Busy),
        ("55006", Busy),
        ("55P03", Busy),
        ("42501", Denied),
        ("28P01", Denied),
        ("57P04", Failed),
        ("42P01", Failed),
        ("2BP01", Failed),
        ("23505", Failed),
    ],
)
def test_sqlstates_mean(sqlstate: str, ours: type[TestenvError]) -> None:
    assert type(of_postgres(Spoken.of(sqlstate))) is ours


def test_a_catalog_row_changed_by_two_at_once_is_tried_again() -> None:
    assert isinstance(of_postgres(Spoken.of("XX000", "tuple concurrently updated")), Busy)
    assert isinstance(of_postgres(Spoken.of("XX000", "cache lookup failed")), Failed)


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ('connection to server failed: FATAL:  password authentication failed for user "te_x"', Denied),
        ('FATAL:  permission denied for database "te_x"', Denied),
        ('FATAL:  database "te_x" does not exist', Failed),
        ("could not connect to server: Connection refused", Unavailable),
        ("timeout expired", Unavailable),
    ],
)
def test_a_refused_connection_has_no_sqlstate(said: str, ours: type[TestenvError]) -> None:
    assert type(of_postgres(psycopg2.OperationalError(said))) is ours


def test_nothing_of_psycopg2_passes_the_edge() -> None:
    for kind in (psycopg2.Error, psycopg2.InterfaceError, psycopg2.errors.DeadlockDetected):
        with pytest.raises(TestenvError) as raised, postgres_errors():
            raise kind("said")
        assert isinstance(raised.value.__cause__, kind)


def test_what_is_no_error_of_the_vendor_passes_as_it_is() -> None:
    for edge in (postgres_errors, snowflake_errors, kafka_errors):
        with pytest.raises(ZeroDivisionError), edge():
            raise ZeroDivisionError
        with pytest.raises(Denied), edge():
            raise Denied("ours already")


# ---------------------------------------------------------------- Snowflake

SNOWFLAKE_CLASSES = [c for c in vars(snowflake).values() if inspect.isclass(c) and issubclass(c, snowflake.Error)]
SNOWFLAKE_NUMBERS = [n for name, n in vars(errorcode).items() if name.startswith("ER_")]


def made(kind: type[snowflake.Error], **arguments: Any) -> snowflake.Error:
    error = kind.__new__(kind)
    snowflake.Error.__init__(error, msg="said", done_format_msg=True, **arguments)
    return error


def test_every_class_that_the_snowflake_connector_raises_is_translated() -> None:
    assert len(SNOWFLAKE_CLASSES) > 25
    assert all(is_one_of_ours(of_snowflake(made(kind))) for kind in SNOWFLAKE_CLASSES)


def test_every_number_of_the_snowflake_connector_is_translated() -> None:
    assert len(SNOWFLAKE_NUMBERS) > 40
    assert all(is_one_of_ours(of_snowflake(made(snowflake.DatabaseError, errno=n))) for n in SNOWFLAKE_NUMBERS)


@pytest.mark.parametrize(
    ("number", "said", "ours"),
    [
        (250001, "Could not connect to Snowflake backend after 2 attempt(s).", Unavailable),
        (250001, "Failed to connect to DB: localhost:1. Incorrect username or password was specified.", Denied),
        (250001, "Failed to connect to DB: localhost:1. JWT token is invalid. [0]", Denied),
        (251012, "said", Unavailable),
        (390100, "said", Denied),
        (390104, "said", Unavailable),
        (390114, "said", Unavailable),
        (390144, "said", Denied),
        (3001, "Insufficient privileges to operate on database 'X'", Denied),
        (2003, "Database 'X' does not exist or not authorized.", Failed),
        (1003, "syntax error", Failed),
        (630, "said", Unavailable),
    ],
)
def test_snowflakes_numbers_mean(number: int, said: str, ours: type[TestenvError]) -> None:
    error = snowflake.DatabaseError(msg=said, errno=number, sqlstate="08001")
    assert type(of_snowflake(error)) is ours


# ---------------------------------------------------------------- Kafka

KAFKA_NAMES = [
    name
    for name in dir(KafkaError)
    if name.strip("_")[0] in string.ascii_uppercase and isinstance(getattr(KafkaError, name), int)
]


def test_every_code_of_kafka_is_translated() -> None:
    assert len(KAFKA_NAMES) > 180
    assert all(is_one_of_ours(of_kafka(KafkaError(getattr(KafkaError, name)))) for name in KAFKA_NAMES)


def test_kafkas_names_are_kafkas() -> None:
    """A misspelt name in the table would never be found by it."""
    names = {KafkaError(getattr(KafkaError, name)).name() for name in KAFKA_NAMES}
    assert set(_KAFKA) <= names


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("_TRANSPORT", Unavailable),
        ("_TIMED_OUT", Unavailable),
        ("NOT_CONTROLLER", Unavailable),
        ("NON_EMPTY_GROUP", Busy),
        ("THROTTLING_QUOTA_EXCEEDED", Busy),
        ("_AUTHENTICATION", Denied),
        ("TOPIC_AUTHORIZATION_FAILED", Denied),
        ("INVALID_CONFIG", Failed),
        ("UNKNOWN_TOPIC_OR_PART", Failed),
        ("MSG_SIZE_TOO_LARGE", Failed),
    ],
)
def test_kafkas_codes_mean(name: str, ours: type[TestenvError]) -> None:
    with pytest.raises(TestenvError) as raised, kafka_errors():
        raise KafkaException(KafkaError(getattr(KafkaError, name)))
    assert type(raised.value) is ours


LOST = "SASL SCRAM-SHA-512 mechanism handshake failed: Local: Broker transport failure: broker's mechanisms: (n/a)"
REFUSED = "SASL authentication error: Authentication failed during authentication due to invalid credentials"


@pytest.mark.parametrize(("words", "ours", "refused"), [(LOST, Unavailable, False), (REFUSED, Denied, True)])
def test_a_broker_that_dies_during_a_login_has_not_refused_it(
    words: str, ours: type[TestenvError], refused: bool
) -> None:
    error = KafkaError(KafkaError._AUTHENTICATION, words)
    assert type(of_kafka(error)) is ours
    assert is_refused_login(error) is refused


# ---------------------------------------------------------------- AWS

BOTO_CLASSES = [c for c in vars(boto).values() if inspect.isclass(c) and issubclass(c, boto.BotoCoreError)]


def client_error(code: str, status: int) -> boto.ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "said"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(answer, "GetObject")


def test_every_class_of_botocore_is_translated() -> None:
    assert len(BOTO_CLASSES) > 80
    for kind in BOTO_CLASSES:
        fields = {field: "x" for _, field, _, _ in string.Formatter().parse(kind.fmt) if field}
        fields = {field.split(".")[0]: value for field, value in fields.items()}
        error = kind(**fields | ({"last_response": {}} if kind is boto.WaiterError else {}))
        ours = of_core_error(error)
        assert isinstance(ours, Transient) != isinstance(ours, Terminal)
        assert isinstance(ours, Transient) == isinstance(error, (boto.HTTPClientError, boto.ConnectionError))


@pytest.mark.parametrize(
    ("code", "status", "ours"),
    [
        ("SlowDown", 503, Busy),
        ("ThrottlingException", 400, Busy),
        ("InternalError", 500, Unavailable),
        ("ServiceUnavailable", 503, Unavailable),
        ("AccessDenied", 403, Denied),
        ("AccessDeniedException", 400, Denied),
        ("InvalidAccessKeyId", 403, Denied),
        ("NoSuchBucket", 404, Failed),
        ("ValidationException", 400, Failed),
        ("whatever comes next year", 400, Failed),
    ],
)
def test_awss_codes_mean(code: str, status: int, ours: type[TestenvError]) -> None:
    assert type(of_client_error(client_error(code, status))) is ours


def test_nothing_of_botocore_passes_the_edge() -> None:
    @translate
    def refused() -> None:
        raise client_error("AccessDenied", 403)

    with pytest.raises(Denied, match="GetObject: AccessDenied: said"):
        refused()
