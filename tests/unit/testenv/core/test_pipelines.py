"""The catalog of pipelines is read whole, and all that is wrong in it is told at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from testenv.core.contract import Contract, Contracts, Field, Store
from testenv.core.errors import InvalidCatalog
from testenv.core.pipelines import Archetype, Criticality, load_pipelines

TEXT = """
pipelines:
  orders_hourly:
    {owner: sales, archetype: postgres, schedule: '@hourly', sla: 45, criticality: critical,
     inputs: [postgres.orders], outputs: [snowflake.RAW.ORDERS]}
  clicks_stream:
    {owner: web, archetype: kafka, schedule: '*/10 * * * *', sla: 20, criticality: high, streaming: true,
     inputs: [kafka.clicks], outputs: [snowflake.RAW.CLICKS]}
"""


def contract(id_: str) -> Contract:
    store, name = id_.split(".", 1)
    fields = (Field(path="a", type="string"),)
    return Contract(id=id_, version="1", store=Store(store), name=name, owner="sales", fields=fields)


CONTRACTS: Contracts = {
    id_: contract(id_)
    for id_ in ("postgres.orders", "kafka.clicks", "s3.files", "snowflake.RAW.ORDERS", "snowflake.RAW.CLICKS")
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pipelines.yaml"
    path.write_text(TEXT)
    return path


def refused(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(InvalidCatalog) as raised:
        load_pipelines(CONTRACTS, file)
    return str(raised.value).splitlines()


def test_pipelines_are_read_by_id(file: Path) -> None:
    pipelines = load_pipelines(CONTRACTS, file)
    assert list(pipelines) == ["orders_hourly", "clicks_stream"]
    hourly = pipelines["orders_hourly"]
    assert (hourly.owner, hourly.archetype, hourly.criticality) == ("sales", Archetype.POSTGRES, Criticality.CRITICAL)
    assert hourly.sla == timedelta(minutes=45)
    assert (hourly.inputs, hourly.outputs) == (("postgres.orders",), ("snowflake.RAW.ORDERS",))
    assert not hourly.streaming and pipelines["clicks_stream"].streaming


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("archetype: postgres", "archetype: mysql", "orders_hourly.archetype: Input should be 'postgres', "),
        ("criticality: critical", "criticality: vital", "orders_hourly.criticality: Input should be 'critical', "),
        ("owner: sales", "team: sales", "orders_hourly."),
        ("sla: 45", "sla: soon", "orders_hourly.sla: Input should be a valid timedelta"),
        ("sla: 45", "sla: 0", "orders_hourly.sla: must be above 0 minutes"),
        ("sla: 45", "sla: 45, lookback_days: -1", "orders_hourly.lookback_days: must not be below 0, got -1"),
        ("sla: 45", "sla: 45, streaming: true", "orders_hourly.streaming: only topics are streams"),
        ("[postgres.orders]", "[]", "orders_hourly.inputs: must name a dataset, got none"),
        ("[postgres.orders]", "[postgres.gone]", "orders_hourly.inputs: 'postgres.gone' has no contract; write contr"),
        ("[postgres.orders]", "[s3.files]", "orders_hourly.inputs: a pipeline of archetype postgres reads nothing el"),
        ("[snowflake.RAW.ORDERS]", "[s3.files]", "orders_hourly.outputs: pipelines write the warehouse"),
    ],
)
def test_what_is_wrong_is_named_with_its_pipeline(file: Path, right: str, wrong: str, message: str) -> None:
    assert right in TEXT
    assert refused(file, TEXT.replace(right, wrong, 1))[0].startswith(f"pipelines.yaml: {message}")


def test_all_that_is_wrong_is_told_at_once(file: Path) -> None:
    text = TEXT.replace("archetype: postgres", "archetype: mysql").replace("[kafka.clicks]", "[kafka.gone]")
    assert [line.split(": ")[1] for line in refused(file, text)] == ["orders_hourly.archetype", "clicks_stream.inputs"]


@pytest.mark.parametrize("text", ["", "pipelines: []", "pipelines: {}", "other: {}"])
def test_a_catalog_without_pipelines_is_refused(file: Path, text: str) -> None:
    assert refused(file, text)[0].startswith("pipelines.yaml: pipelines: must map ids to pipelines")
