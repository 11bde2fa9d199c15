"""What a vendor says of a secret it was given is shown to nobody, not even by the error's cause."""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Callable

import psycopg2
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from confluent_kafka import KafkaError, KafkaException
from snowflake.connector.errors import ProgrammingError

from testenv.backends.aws import translate
from testenv.backends.errors import kafka_errors, postgres_errors, snowflake_errors
from testenv.backends.keys import pem
from testenv.backends.redaction import redacted, remember
from testenv.backends.secrets import make_credentials
from testenv.core.errors import TestenvError
from testenv.core.naming import EnvId, Names
from testenv.core.resources import System


@pytest.fixture
def secret() -> str:
    made = secrets.token_urlsafe(24)
    remember({"user": "te_sbx_a", "password": made})
    return made


@postgres_errors()
def postgres(words: str) -> None:
    raise psycopg2.OperationalError(words)


@postgres_errors()
def postgres_login(words: str) -> None:
    raise psycopg2.OperationalError(f"authentication failed: {words}")


@snowflake_errors()
def snowflake(words: str) -> None:
    raise ProgrammingError(msg=words, errno=1003)


@kafka_errors()
def kafka(words: str) -> None:
    raise KafkaException(KafkaError(KafkaError.INVALID_CONFIG, words))


@translate
def aws(words: str) -> None:
    raise ClientError({"Error": {"Code": "ValidationException", "Message": words}}, "PutParameter")


@translate
def aws_away(words: str) -> None:
    raise EndpointConnectionError(endpoint_url=words)


PLANTED = [postgres, postgres_login, snowflake, kafka, aws, aws_away]


@pytest.mark.parametrize("fail", PLANTED, ids=lambda fail: fail.__name__)
def test_a_vendors_message_with_a_password_is_shown_without_it(fail: Callable[[str], None], secret: str) -> None:
    with pytest.raises(TestenvError) as caught:
        fail(f"cannot log in with password={secret} as te_sbx_a")
    assert "te_sbx_a" in str(caught.value) and "***" in str(caught.value)
    assert secret not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("fail", PLANTED, ids=lambda fail: fail.__name__)
def test_one_without_keeps_its_cause(fail: Callable[[str], None], secret: str) -> None:
    with pytest.raises(TestenvError) as caught:
        fail("the cable is unplugged")
    assert "the cable is unplugged" in str(caught.value)
    assert "the cable is unplugged" in str(caught.value.__cause__)


def test_a_key_is_known_in_the_lines_of_a_pem_too() -> None:
    key = make_credentials(Names(EnvId("sbx-a")), System.SNOWFLAKE)["private_key"]
    remember({"private_key": key})
    said = redacted(f"no key: {pem(key)}")
    assert not [line for line in pem(key).splitlines()[1:-1] if line in said]


def test_names_and_short_words_are_no_secrets() -> None:
    remember({"user": "te_sbx_a_long_name", "password": "admin"})
    assert redacted("admin te_sbx_a_long_name") == "admin te_sbx_a_long_name"
