"""Alerts come to whoever has subscribed."""

from __future__ import annotations

from dataclasses import replace

from tests.integration.testenv.subscriber import subscribed

from testenv.alerts import alert
from testenv.config import Config


def test_an_alert_is_delivered_whatever_stands_in_its_subject(config: Config) -> None:
    with subscribed(config) as heard:
        alert(config, "refresh_datasets failed in prépare\n" + "x" * 200, "leak: postgres.customers: notes")
        got = heard.get(timeout=20)
    assert got["Subject"].startswith("refresh_datasets failed in pr?pare xxx")
    assert len(got["Subject"]) < 100
    assert got["Message"] == "leak: postgres.customers: notes"


def test_a_deployment_without_a_topic_hears_nothing(config: Config) -> None:
    with subscribed(config) as heard:
        alert(replace(config, alerts_topic=""), "nobody", "hears this")
        alert(config, "somebody", "hears this")
        assert heard.get(timeout=20)["Subject"] == "somebody"
