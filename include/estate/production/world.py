"""The whole made-up FinSight: a function of a seed and a scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from estate.feeds import FEEDS
from estate.production.events import service_topics
from estate.production.feeds import KafkaRecord, Settlement, card_events, landing_files, rates, settlements
from estate.production.generators import GENERATORS
from estate.production.partners import Delivery, deliveries
from estate.production.tables import Draft, Row


@dataclass(frozen=True)
class World:
    """Everything production holds. Instants in `tables` are aware, in UTC; records stand in the order they arrived."""

    tables: dict[str, list[Row]]
    settlements: dict[date, list[Settlement]]
    rates: dict[date, dict[str, Decimal]]
    card_events: list[KafkaRecord]
    partners: dict[str, dict[date, Delivery]]
    """Deliveries of the other feeds, by feed and day."""
    service_topics: dict[str, list[KafkaRecord]]
    """By name; the card events' topic is not among them, that of the schemas is."""

    @property
    def topics(self) -> dict[str, list[KafkaRecord]]:
        """Every topic's records."""
        return {"card_events": self.card_events, **self.service_topics}

    def landing(self) -> Iterator[tuple[str, bytes]]:
        """Path below the landing zone, and content, of each delivered file."""
        yield from landing_files(self.settlements, self.rates)
        for feed, days in self.partners.items():
            for day, delivery in days.items():
                yield f"{feed}/dt={day}/{FEEDS[feed].file}", delivery.content


def build(seed: int, scale: float) -> World:
    """The world of `seed`; `scale` 1 is 2,000 customers, 20,000 payments and 10,000 card events.

    The same arguments give the same world. Raises `ValueError` when `scale` is not above 0.
    """
    if scale <= 0:
        raise ValueError(f"scale must be above 0, got {scale}: 1 is 2,000 customers and 20,000 payments")
    draft = Draft(seed, scale)
    for name, generate in GENERATORS.items():
        draft.tables[name] = list(generate(draft))
    return World(
        draft.tables, settlements(draft), rates(draft), card_events(draft), deliveries(draft), service_topics(draft)
    )
