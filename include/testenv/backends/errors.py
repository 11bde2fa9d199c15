"""What Postgres, Snowflake and Kafka say, as errors of `testenv.core.errors`: translated once, at a backend's edge.

Each is a decorator (and a context manager). What AWS says is translated in `aws.py`. An error is `Transient` only where
trying again helps: the system is away, starting, busy or throttling, or someone else's change came between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from testenv.backends.redaction import redacted, shown_cause
from testenv.core.errors import Busy, Denied, Failed, TestenvError, Unavailable

if TYPE_CHECKING:
    import psycopg2
    from confluent_kafka import KafkaError
    from snowflake.connector.errors import Error as SnowflakeError

_AGAIN = "It will be tried again"


@contextmanager
def postgres_errors() -> Iterator[None]:
    """Let through only our errors for what psycopg2 raises."""
    import psycopg2

    try:
        yield
    except psycopg2.Error as error:
        raise of_postgres(error) from shown_cause(error)


@contextmanager
def snowflake_errors() -> Iterator[None]:
    """Let through only our errors for what snowflake.connector raises."""
    from snowflake.connector.errors import Error

    try:
        yield
    except Error as error:
        raise of_snowflake(error) from shown_cause(error)


@contextmanager
def kafka_errors() -> Iterator[None]:
    """Let through only our errors for what confluent_kafka raises."""
    from confluent_kafka import KafkaException

    try:
        yield
    except KafkaException as error:
        raise of_kafka(error.args[0]) from shown_cause(error)


# ---------------------------------------------------------------- Postgres

_PG_CLASSES: dict[str, type[TestenvError]] = {
    "08": Unavailable,  # connection exception
    "28": Denied,  # invalid authorization specification
    "40": Busy,  # transaction rollback: serialization, deadlock
    "53": Busy,  # insufficient resources: connections, memory, disk
    "57": Unavailable,  # operator intervention: shutdown, starting up, cancelled by a timeout
}
_PG_CODES: dict[str, type[TestenvError]] = {
    "0LP01": Denied,  # invalid grant operation
    "42501": Denied,  # insufficient privilege
    "55006": Busy,  # object in use: a template being copied, a database with sessions
    "55P03": Busy,  # lock not available within lock_timeout
    "57P04": Failed,  # the database that we were connected to was dropped
}


def of_postgres(error: psycopg2.Error) -> TestenvError:
    """One of ours for an error of psycopg2, by its SQLSTATE; those without one by what libpq says of the login."""
    words = f"Postgres: {(error.diag.message_primary or str(error)).strip()}"
    state = error.pgcode
    if state == "XX000" and "concurrently updated" in words:  # two sessions changed one catalog row
        return Busy(f"{words}. {_AGAIN}")
    if state is None:
        return _without_state(error, words)
    return _made(_PG_CODES.get(state) or _PG_CLASSES.get(state[:2], Failed), f"{words} (SQLSTATE {state})")


def _without_state(error: psycopg2.Error, words: str) -> TestenvError:
    """libpq gives no SQLSTATE for what happens while it connects, only the server's words."""
    import psycopg2

    if any(said in words for said in ("authentication failed", "permission denied", "no pg_hba.conf entry")):
        return Denied(redacted(words))
    if "does not exist" in words:
        return Failed(redacted(words))
    return _made(Unavailable if isinstance(error, psycopg2.OperationalError) else Failed, words)


# ---------------------------------------------------------------- Snowflake

_SNOWFLAKE_NUMBERS: dict[int, type[TestenvError]] = {
    3001: Denied,  # insufficient privileges
    3003: Denied,
    390100: Denied,  # incorrect user name or password
    390101: Denied,
    390144: Denied,  # JWT invalid
    390186: Denied,  # role not granted
    390189: Denied,  # role does not exist or not authorized
    390195: Denied,  # session token not valid
    251006: Denied,  # no password
    251008: Denied,  # private key not valid
    390104: Unavailable,  # the session has ended, as all do when the service restarts; another try logs in anew
    390112: Unavailable,
    390113: Unavailable,
    390114: Unavailable,
    390115: Unavailable,
    250001: Unavailable,  # no connection; refused logins have this number and 08001 too: see _LOGIN
    250003: Unavailable,
    250005: Unavailable,
    251011: Unavailable,  # connection timeout
    251012: Unavailable,  # retryable HTTP code
    604: Unavailable,  # cancelled
    630: Unavailable,  # statement timeout
    625: Busy,  # statement queued for too long
    609: Busy,  # waiters of a lock exceed the limit
    625000: Busy,
}
_SNOWFLAKE_CLASSES: dict[str, type[TestenvError]] = {
    "ForbiddenError": Denied,
    "TokenExpiredError": Denied,
    "RefreshTokenError": Denied,
    "TooManyRequests": Busy,
    "InternalServerError": Unavailable,
    "ServiceUnavailableError": Unavailable,
    "GatewayTimeoutError": Unavailable,
    "RequestTimeoutError": Unavailable,
    "BadGatewayError": Unavailable,
    "OtherHTTPRetryableError": Unavailable,
    "RequestExceedMaxRetryError": Unavailable,
    "RevocationCheckError": Unavailable,
}
_LOGIN = ("Incorrect username or password", "JWT token is invalid", "is not granted to this user", "not authorized")


def of_snowflake(error: SnowflakeError) -> TestenvError:
    """One of ours for an error of snowflake.connector, by its number, else by its class."""
    number = error.errno if isinstance(error.errno, int) else -1
    said = str(error.raw_msg or error.msg or type(error).__name__)
    words = f"Snowflake: {' '.join(said.split())} ({number})"
    if number == 250001 and any(refusal in said for refusal in _LOGIN):
        return Denied(redacted(words))
    return _made(_SNOWFLAKE_NUMBERS.get(number) or _SNOWFLAKE_CLASSES.get(type(error).__name__, Failed), words)


# ---------------------------------------------------------------- Kafka

_KAFKA_DENIED = (
    "_AUTHENTICATION", "CLUSTER_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "TOPIC_AUTHORIZATION_FAILED",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "DELEGATION_TOKEN_AUTHORIZATION_FAILED", "SASL_AUTHENTICATION_FAILED",
    "ILLEGAL_SASL_STATE", "UNSUPPORTED_SASL_MECHANISM",
)  # fmt: skip
_KAFKA_LEADERS = (
    "LEADER_NOT_AVAILABLE", "NOT_LEADER_FOR_PARTITION", "FENCED_LEADER_EPOCH", "UNKNOWN_LEADER_EPOCH",
)  # fmt: skip
_KAFKA_UNAVAILABLE = (
    *_KAFKA_LEADERS,
    "_TRANSPORT", "_RESOLVE", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "_TIMED_OUT_QUEUE", "_MSG_TIMED_OUT", "_WAIT_COORD",
    "_DESTROY_BROKER", "_UNKNOWN_BROKER", "_NODE_UPDATE", "BROKER_NOT_AVAILABLE", "COORDINATOR_NOT_AVAILABLE",
    "REPLICA_NOT_AVAILABLE", "PREFERRED_LEADER_NOT_AVAILABLE",
    "ELIGIBLE_LEADERS_NOT_AVAILABLE", "NETWORK_EXCEPTION", "REQUEST_TIMED_OUT", "NOT_CONTROLLER", "NOT_COORDINATOR",
    "NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "OFFSET_NOT_AVAILABLE",
    "LISTENER_NOT_FOUND", "KAFKA_STORAGE_ERROR", "STALE_BROKER_EPOCH", "STALE_CTRL_EPOCH",
    "REBOOTSTRAP_REQUIRED", "UNKNOWN_TOPIC_ID",
)  # fmt: skip
_KAFKA_BUSY = (
    "_QUEUE_FULL", "_RETRY", "_IN_PROGRESS", "_PREV_IN_PROGRESS", "_WAIT_CACHE", "THROTTLING_QUOTA_EXCEEDED",
    "CONCURRENT_TRANSACTIONS", "COORDINATOR_LOAD_IN_PROGRESS", "REBALANCE_IN_PROGRESS", "REASSIGNMENT_IN_PROGRESS",
    "NON_EMPTY_GROUP", "UNSTABLE_OFFSET_COMMIT", "OPERATION_NOT_ATTEMPTED", "GROUP_SUBSCRIBED_TO_TOPIC",
)  # fmt: skip
_KAFKA: dict[str, type[TestenvError]] = {
    **dict.fromkeys(_KAFKA_DENIED, Denied),
    **dict.fromkeys(_KAFKA_UNAVAILABLE, Unavailable),
    **dict.fromkeys(_KAFKA_BUSY, Busy),
}


def of_kafka(error: KafkaError) -> TestenvError:
    """One of ours for an error of librdkafka or of a broker, by its name."""
    kind = Unavailable if _lost_in_login(error) else _KAFKA.get(error.name(), Failed)
    return _made(kind, f"Kafka: {error.str()} ({error.name()})")


def is_refused_login(error: KafkaError) -> bool:
    """Whether a broker refused a login: librdkafka gives the same name to one that went away before it answered."""
    return error.name() == "_AUTHENTICATION" and not _lost_in_login(error)


def is_about_leaders(error: KafkaError) -> bool:
    """Whether it ends by itself once client and broker agree on who leads a partition, as for a topic made just now."""
    return error.name() in _KAFKA_LEADERS


def _lost_in_login(error: KafkaError) -> bool:
    """librdkafka puts the cause into the words; one of its own, as `Local: Broker transport failure`, is no answer."""
    return error.name() == "_AUTHENTICATION" and "failed: Local: " in error.str()


def _made(kind: Callable[[str], TestenvError], words: str) -> TestenvError:
    words = redacted(words).rstrip(".")
    if kind is Denied:
        return Denied(f"{words}. The role that asked lacks the permission, or its credentials are not the system's")
    if kind in (Busy, Unavailable):
        return kind(f"{words}. {_AGAIN}")
    return kind(words)
