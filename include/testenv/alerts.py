"""Alerts: what people must hear of, by the SNS topic of the deployment."""

from __future__ import annotations

from testenv.backends.aws import client, translate
from testenv.config import Config

_SUBJECT = 99
"""Characters that SNS takes of a subject: ASCII, and no line's end."""


@translate
def alert(config: Config, subject: str, text: str) -> None:
    """Tell all who have subscribed. Nothing where the deployment has no topic (`TESTENV_ALERTS_TOPIC`)."""
    if config.alerts_topic:
        ascii_only = " ".join(subject.split()).encode("ascii", "replace").decode()
        client("sns", config).publish(TopicArn=config.alerts_topic, Subject=ascii_only[:_SUBJECT], Message=text)
