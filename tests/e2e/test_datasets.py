"""`bin/testenv datasets`: what environments are made from."""

from __future__ import annotations

from typing import Any

from tests.e2e.conftest import Client


def test_the_published_version_is_listed_with_who_stands_on_it(client: Client, shared: dict[str, Any]) -> None:
    published, *others = client("datasets", "list", "--json").json
    assert published["published"]
    assert not any(one["published"] for one in others)
    assert published["version"] == shared["dataset"]
    assert shared["id"] in published["environments"]
    assert published["version"] in client("datasets", "list").out


def test_what_a_version_holds_is_shown_store_by_store(client: Client, shared: dict[str, Any]) -> None:
    shown = client("datasets", "show", "--json").json
    manifest = shown["manifest"]
    assert shown["version"] == manifest["version"] == shared["dataset"]
    assert shown["rows"] == sum(manifest["postgres"].values()) + sum(manifest["snowflake"].values()) > 0
    text = client("datasets", "show", shared["dataset"]).out
    assert all(name in text for name in ("customers", "RAW.CUSTOMERS", "card_events", "landing/settlements"))


def test_a_version_does_not_differ_from_itself(client: Client, shared: dict[str, Any]) -> None:
    assert client("datasets", "diff", shared["dataset"], "--json").json["changes"] == []
    assert "hold the same" in client("datasets", "diff", shared["dataset"], "latest").out


def test_a_version_that_is_none_is_refused_naming_those_there_are(client: Client, shared: dict[str, Any]) -> None:
    answer = client("datasets", "show", "seed-00000000")
    assert answer.code == 3
    assert shared["dataset"] in answer.err
