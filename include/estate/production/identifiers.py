"""Identifiers with check digits: card numbers and IBANs that every validator accepts."""

from __future__ import annotations

IBAN_BBAN_DIGITS = {"DE": 18, "AT": 16, "SE": 20, "FI": 14, "DK": 14, "BE": 12, "PL": 24, "PT": 21, "EE": 16}
"""Countries whose account numbers are digits alone, and how many."""

CARD_BINS = {"visa": ("411111", "401288", "422222"), "mastercard": ("555555", "510510", "222300")}
"""Beginnings of the card networks' published test numbers: no bank issues them."""


def luhn_digit(digits: str) -> str:
    """The digit that completes `digits` to a number that passes Luhn's test."""
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits)))
    return str(-sum(value - 9 * (value > 9) for value in doubled) % 10)


def passes_luhn(number: str) -> bool:
    return number.isdigit() and len(number) > 1 and luhn_digit(number[:-1]) == number[-1]


def card_number(bank_identifier: str, serial: int) -> str:
    """A 16-digit card number: the bank's identifier, `serial` and a check digit. One serial, one number."""
    width = 15 - len(bank_identifier)
    if not 0 <= serial < 10**width:
        raise ValueError(f"serial {serial} does not fit: {bank_identifier} leaves {width} digits")
    digits = f"{bank_identifier}{serial:0{width}d}"
    return digits + luhn_digit(digits)


def iban(country: str, serial: int) -> str:
    """The IBAN of account `serial` in `country`, one of `IBAN_BBAN_DIGITS`. One serial, one IBAN."""
    width = IBAN_BBAN_DIGITS[country]
    if not 0 <= serial < 10**width:
        raise ValueError(f"serial {serial} does not fit: an account number of {country} has {width} digits")
    account = f"{serial:0{width}d}"
    return f"{country}{98 - _remainder(account + country + '00'):02d}{account}"


def is_iban(text: str) -> bool:
    return len(text) > 4 and text.isalnum() and _remainder(text[4:] + text[:4]) == 1


def _remainder(text: str) -> int:
    return int("".join(str(int(character, 36)) for character in text)) % 97
