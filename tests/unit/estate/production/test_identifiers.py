from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estate.production.identifiers import CARD_BINS, IBAN_BBAN_DIGITS, card_number, iban, is_iban, passes_luhn


@pytest.mark.parametrize("number", ["4111111111111111", "5555555555554444", "378282246310005"])
def test_published_test_numbers_pass_luhn(number: str) -> None:
    assert passes_luhn(number)


@pytest.mark.parametrize("text", ["DE89370400440532013000", "SE4550000000058398257466", "BE68539007547034"])
def test_published_example_ibans_are_ibans(text: str) -> None:
    assert is_iban(text)


@given(st.sampled_from(sorted(CARD_BINS)), st.integers(0, 10**9 - 1))
def test_card_numbers_pass_luhn_and_carry_a_test_bin(network: str, serial: int) -> None:
    for bank in CARD_BINS[network]:
        number = card_number(bank, serial)
        assert len(number) == 16 and passes_luhn(number) and number.startswith(bank)


@given(st.sampled_from(sorted(CARD_BINS)), st.integers(0, 10**9 - 1), st.integers(0, 15), st.integers(1, 9))
def test_a_changed_digit_fails_luhn(network: str, serial: int, place: int, by: int) -> None:
    number = card_number(CARD_BINS[network][0], serial)
    changed = str((int(number[place]) + by) % 10)
    assert not passes_luhn(number[:place] + changed + number[place + 1 :])


@given(st.sampled_from(sorted(IBAN_BBAN_DIGITS)), st.integers(0, 10**12 - 1))
def test_ibans_are_valid_and_of_their_country(country: str, serial: int) -> None:
    text = iban(country, serial)
    assert is_iban(text) and text.startswith(country) and len(text) == 4 + IBAN_BBAN_DIGITS[country]


def test_a_serial_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves 9 digits"):
        card_number("411111", 10**9)
    with pytest.raises(ValueError, match="BE has 12 digits"):
        iban("BE", 10**12)
