"""What the embedded Kafka is made with."""

from __future__ import annotations

from functools import reduce

from local.parts.kafka import PLACEHOLDER


def java_hash(text: str) -> int:
    """`String.hashCode`, unsigned."""
    return reduce(lambda found, letter: (31 * found + ord(letter)) & 0xFFFFFFFF, text, 0)


def test_the_placeholder_is_in_the_first_bucket_of_a_hash_map_of_any_size() -> None:
    assert java_hash("Aa") == java_hash("BB") == 2112
    assert java_hash(PLACEHOLDER) == 0
