"""Great Expectations: a checkpoint of all expectations of a release, run where the tables are.

Nothing of it is left on the disk but the data docs, which are handed back; the login stands in no file.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from testenv.checks.quality.expectations import Expectation
from testenv.core.errors import Failed

if TYPE_CHECKING:
    from great_expectations.checkpoint.checkpoint import CheckpointResult
    from great_expectations.core import ExpectationSuite, ValidationDefinition
    from great_expectations.data_context.data_context.abstract_data_context import AbstractDataContext
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource

Keep = Callable[[str, bytes], None]
"""Keeps a file of the data docs: its path below their folder, and its content."""

_PLAIN = re.compile(r"[A-Z_][A-Z0-9_$]*")
"""A name that Snowflake has in capitals, and needs no quotes."""

_SITE, _DEFAULT = "contracts", "local_site"


@dataclass(frozen=True)
class Asked:
    """A table of the session's database, `SCHEMA.TABLE` as it is spelled, and what is expected of it."""

    dataset: str
    table: str
    expectations: Sequence[Expectation]


@dataclass(frozen=True)
class Answer:
    """Whether one expectation was met; `error` says why it could not be asked."""

    met: bool
    error: str = ""


Answers = dict[str, Answer]
"""By the expectation's id."""


Ask = Callable[[Mapping[str, Any], Sequence[Asked], Keep], Answers]
"""What asks: by a login, of tables; `run_checkpoint`."""


def run_checkpoint(login: Mapping[str, Any], asked: Sequence[Asked], keep: Keep) -> Answers:
    """Ask all, and keep the data docs. Raises `Failed` where Great Expectations itself fails."""
    if not asked:
        return {}
    with TemporaryDirectory(prefix="testenv-quality-") as folder, _quiet():
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig
        from great_expectations.exceptions.exceptions import GreatExpectationsError

        try:
            context = gx.get_context(mode="ephemeral")
            context.variables.progress_bars = ProgressBarsConfig(globally=False)
            context.delete_data_docs_site(_DEFAULT)
            context.add_data_docs_site(_SITE, _site(folder))
            source = _datasource(context, login)
            definitions = [_definition(context, source, each) for each in asked]
            checkpoint = gx.Checkpoint(
                name="contracts", validation_definitions=definitions, result_format={"result_format": "BASIC"}
            )
            result = context.checkpoints.add(checkpoint).run()
            context.build_data_docs([_SITE])
        except GreatExpectationsError as error:
            raise Failed(f"Great Expectations did not come to its end: {type(error).__name__}: {error}") from error
        for file in _files(Path(folder)):
            keep(file.relative_to(folder).as_posix(), file.read_bytes())
        return _answers(result)


def _site(folder: str) -> Any:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": folder},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }


def _files(folder: Path) -> Iterator[Path]:
    """Pages and what they show, without their fonts: those are most of a site, and browsers have others."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and "fonts" not in path.parts)


def _datasource(context: AbstractDataContext, login: Mapping[str, Any]) -> SQLDatasource:
    elsewhere = {"host": login["host"], "port": int(login["port"])} if login.get("host") else {}
    arguments = {
        **{name: login[name] for name in ("account", "user", "role", "database", "warehouse")},
        "private_key": _der(str(login["private_key"])),
        "session_parameters": {"QUERY_TAG": '{"app": "testenv", "check": "quality"}'},
        **elsewhere,
    }
    add: Callable[..., SQLDatasource] = context.data_sources.add_sql  # its stub lacks `kwargs`
    return add(
        "environment",
        connection_string=f"snowflake://{login['user']}@{login['account']}",
        create_temp_table=False,
        kwargs={"connect_args": arguments},
    )


def _der(key_text: str) -> str:
    """The key as the connector takes it in text: DER in base64."""
    from cryptography.hazmat.primitives import serialization

    if not key_text.startswith("-----BEGIN"):
        return key_text
    key = serialization.load_pem_private_key(key_text.encode(), password=None)
    form = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return base64.b64encode(key.private_bytes(*form)).decode()


def _definition(context: AbstractDataContext, source: SQLDatasource, asked: Asked) -> ValidationDefinition:
    """The whole table as its one batch: part of a batch's name would mean the latest that fits."""
    import great_expectations as gx

    schema, _, table = asked.table.partition(".")
    asset = source.add_table_asset(asked.dataset, table_name=_spelled(table), schema_name=schema)
    batch = asset.add_batch_definition_whole_table("whole")
    suite = context.suites.add(_suite(asked))
    return context.validation_definitions.add(gx.ValidationDefinition(name=asked.dataset, data=batch, suite=suite))


def _spelled(table: str) -> str:
    """The name as SQLAlchemy has it: small letters where Snowflake needs no quotes, else it finds no columns."""
    return table.lower() if _PLAIN.fullmatch(table) else f'"{table}"'


def _suite(asked: Asked) -> ExpectationSuite:
    import great_expectations as gx
    import great_expectations.expectations as gxe

    suite = gx.ExpectationSuite(name=asked.dataset)
    for each in asked.expectations:
        made = getattr(gxe, each.type)(**each.arguments, meta={"id": each.id}, notes=each.rule.name)
        suite.add_expectation(made)
    return suite


def _answers(result: CheckpointResult) -> Answers:
    answers: Answers = {}
    for validated in result.run_results.values():
        for each in validated.results:
            info = each.exception_info or {}
            raised = [info] if "raised_exception" in info else [*info.values()]
            said = [str(one.get("exception_message")) for one in raised if one and one.get("raised_exception")]
            config: Any = each.expectation_config
            answers[str(config.meta["id"])] = Answer(bool(each.success), "; ".join(said))
    return answers


@contextmanager
def _quiet() -> Iterator[None]:
    """Without telemetry, and without bars of progress."""
    before = os.environ.get("GX_ANALYTICS_ENABLED")
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ["GX_ANALYTICS_ENABLED"]
        else:
            os.environ["GX_ANALYTICS_ENABLED"] = before
