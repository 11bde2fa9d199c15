"""What stops a refresh: production that is not as its contracts say, and masking that let something through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from confluent_kafka import Producer
from tests.conftest import REPO, RunningStack
from tests.integration.testenv.datasets.refresh.conftest import Made, Versions, fill, in_production

from testenv.core.contract import Classification, Contract
from testenv.core.errors import Drifted, Failed, TestenvError
from testenv.datasets.evidence.evidence import Evidence
from testenv.datasets.refresh.stages import EVIDENCE, REPORT, Refresh
from testenv.datasets.store import DatasetStore

DRIFT = {
    "ALTER TABLE cards ADD COLUMN cvc text": "ALTER TABLE cards DROP COLUMN cvc",
    "ALTER TABLE cards ALTER COLUMN network TYPE varchar(20)": "ALTER TABLE cards ALTER COLUMN network TYPE text",
    """UPDATE kyc_documents SET content = content || '{"mother": {"name": "x"}}'""": (
        "UPDATE kyc_documents SET content = content - 'mother'"
    ),
}


def produce(stack: RunningStack, topic: str, **record: object) -> None:
    """As production's own services do."""
    env = stack.production
    producer = Producer(
        {
            "bootstrap.servers": env["PRODUCTION_KAFKA_BOOTSTRAP"],
            "security.protocol": env["PRODUCTION_KAFKA_SECURITY_PROTOCOL"],
            "sasl.mechanism": env["PRODUCTION_KAFKA_SASL_MECHANISM"],
            "sasl.username": env["PRODUCTION_KAFKA_USER"],
            "sasl.password": env["PRODUCTION_KAFKA_PASSWORD"],
        }
    )
    producer.produce(topic, **record)
    assert producer.flush(20) == 0


@contextmanager
def renamed_field(stack: RunningStack) -> Iterator[None]:
    """A version of a topic's schema in which a field has another name."""
    schema = json.loads((REPO / "include/estate/schema/avro/3-login_events-value-v1.avsc").read_text())
    for field in schema["fields"]:
        field["name"] = {"ip": "address"}.get(field["name"], field["name"])
    place = {"subject": "login_events-value", "version": 99}
    key = json.dumps({"keytype": "SCHEMA", **place, "magic": 1})
    body = json.dumps({**place, "id": 99, "schema": json.dumps(schema), "deleted": False})
    produce(stack, "_schemas", key=key, value=body)
    try:
        yield
    finally:
        produce(stack, "_schemas", key=key, value=None)


def test_drift_stops_it_before_a_row_is_read_and_names_all_of_it(
    stack: RunningStack, refresh: Refresh, versions: Versions, made: Made
) -> None:
    version, before = versions.new(), DatasetStore(refresh.config).current()
    with renamed_field(stack):
        try:
            for change in DRIFT:
                in_production(stack, change)
            with pytest.raises(Drifted) as raised:
                refresh.check()
            with pytest.raises(TestenvError):  # also where a row is what meets it first: production moved after `check`
                refresh.prepare(version)
        finally:
            for back in DRIFT.values():
                in_production(stack, back)
    first, *lines = str(raised.value).splitlines()
    assert first == "production differs from its contracts:"
    told = {line.split(". ", 1)[0]: line.split(". ", 1)[1] for line in lines}
    assert told.keys() >= {
        "postgres.cards: cvc: is new (text)",
        "postgres.cards: network: is character varying(20), the contract says text",
        "postgres.kyc_documents: content.mother.name: is new (string)",
        "kafka.login_events: value.address: is new (string)",
    }
    assert all(remedy for remedy in told.values())
    assert all(versions.objects(name) == {} for name in (version, f"{version}-ci", f"{version}-full"))
    assert DatasetStore(refresh.config).current() == before


PAN, MAIL = "4539 1488 0343 6467", "someone.real@gmail.com"


@pytest.fixture(scope="module")
def refused(stack: RunningStack, refresh: Refresh, versions: Versions, made: Made) -> Iterator[tuple[str, Evidence]]:
    """A refresh of a production where persons stand in places whose classification says that none does."""
    version = versions.new()
    in_production(stack, f"UPDATE customers SET notes = 'paid by {PAN}' WHERE customer_id = 1")
    in_production(
        stack,
        f"""UPDATE consents SET scope = jsonb_set(scope, '{{channels}}', '["letter", "{MAIL}"]')
        WHERE consent_id = (SELECT min(consent_id) FROM consents)""",
    )
    name = in_production(stack, "SELECT full_name FROM customers WHERE full_name LIKE '% %' ORDER BY 1 LIMIT 1")
    account = in_production(stack, "SELECT min(account_id) FROM accounts")
    produce(stack, "account_events", key=account, headers=[("source", name.encode())])
    trusting = {**refresh.contracts, "postgres.customers": trusted(refresh.contracts["postgres.customers"], "notes")}
    yield version, replace(refresh, contracts=trusting).prepare(version)
    fill(stack)


def trusted(contract: Contract, path: str) -> Contract:
    """As if it said of a field that it tells of nobody."""
    fields = [
        field.model_copy(update={"classification": Classification.INTERNAL}) if field.path == path else field
        for field in contract.fields
    ]
    return contract.model_copy(update={"fields": tuple(fields)})


def test_what_is_misclassified_is_found_wherever_it_stands(refused: tuple[str, Evidence]) -> None:
    _, evidence = refused
    found = {(each.contract, each.path, each.kind) for each in evidence.findings}
    assert ("postgres.customers", "notes", "pan") in found
    assert ("postgres.consents", "scope.channels[]", "email") in found
    hits = {(hit.contract, hit.path) for hit in evidence.hits if not hit.is_coincidence}
    assert ("kafka.account_events", "headers.source") in hits
    told = "\n".join(evidence.reasons)
    assert all(where in told for where in ("notes", "scope.channels[]", "headers.source"))
    assert not any(value in evidence.model_dump_json() for value in (PAN, MAIL))


def test_of_what_is_refused_evidence_and_report_are_kept_and_nobody_stands_on_it(
    refresh: Refresh, versions: Versions, made: Made, refused: tuple[str, Evidence]
) -> None:
    version, evidence = refused
    store = DatasetStore(refresh.config)
    before = store.current()
    assert not evidence.verdict
    with pytest.raises(Failed, match=r"is not published: .*headers\.source"):
        refresh.publish(version)
    with pytest.raises(Failed, match="is not published"):
        refresh.load(version, "ci")
    assert (store.current(), store.find(f"{version}-ci")) == (before, None)
    assert versions.objects(version).keys() == {EVIDENCE, REPORT}
    assert versions.objects(f"{version}-full") == {}, "not a row of what holds a person leaves the boundary"
    assert refresh.prepare(version) == evidence, "a run that is tried again does not try its luck"


def test_the_pointer_is_moved_to_the_version(made: Made) -> None:
    assert made.pointed_to == made.version


def test_a_version_that_nobody_judged_is_neither_loaded_nor_published(refresh: Refresh, versions: Versions) -> None:
    version = versions.new()
    for call in (lambda: refresh.load(version, "ci"), lambda: refresh.publish(version)):
        with pytest.raises(Failed, match="was never judged"):
            call()


def test_every_planted_canary_is_found_in_every_form(made: Made) -> None:
    assert made.evidence.canaries.planted > 2000
    assert (made.evidence.canaries.share, made.evidence.canaries.missed) == (1, ())
    assert made.evidence.canaries.in_output == 0
    assert made.evidence.blind_spots
