"""What each strategy promises."""

from __future__ import annotations

import ipaddress
import re
import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estate.production.identifiers import card_number, iban, is_iban, passes_luhn
from testenv.core.errors import Failed
from testenv.datasets.mask import lists
from testenv.datasets.mask.keyed import Domain, Key
from testenv.datasets.mask.registry import STRATEGIES, make
from testenv.datasets.mask.strategy import Column, Strategy

KEY, OTHER = Key("e0001", bytes(range(32))), Key("e0002", bytes(32))
PAN = {"bins": {"411111": "424242", "555555": "520082"}, "rest": "999999"}
TEXTS = [name for name, each in STRATEGIES.items() if "string" in each.types and not each.by_entity and name != "keep"]


def strategy(name: str, **params: Any) -> Strategy:
    return make(name, PAN if name == "pan" else params)


def mask(name: str, values: list[Any], kind: pa.DataType | None = None, *, key: Key = KEY, **params: Any) -> list[Any]:
    column = Column(pa.array(values, kind), Domain(key, name))
    masked = strategy(name, **params).mask(column)
    assert masked.type == column.values.type
    return masked.to_pylist()


@pytest.mark.parametrize("name", TEXTS)
@given(values=st.lists(st.none() | st.text(max_size=40), max_size=20))
@settings(max_examples=15, deadline=None)
def test_equal_texts_have_equal_tokens_nulls_stay_null_and_empty_stays_empty(
    name: str, values: list[str | None]
) -> None:
    once, twice = mask(name, [*values, None, ""]), mask(name, [*values, *values, None, ""])
    assert once[:-2] * 2 == twice[:-2]
    assert once[-2:] == [None, ""]
    assert [each is None for each in once[:-2]] == [each is None for each in values]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.string_view()], ids=str)
def test_every_form_of_text_has_the_same_token(name: str, kind: pa.DataType) -> None:
    texts = ["jane@bank.test", "4111111111111111", None, "", "ß", "17", "DE89370400440532013000"]
    found = mask(name, texts if kind != pa.binary() else [t if t is None else t.encode() for t in texts], kind)
    assert [each.decode() if isinstance(each, bytes) else each for each in found] == mask(name, texts)


@pytest.mark.parametrize("name", TEXTS)
def test_another_epoch_has_other_tokens(name: str) -> None:
    texts = [f"4{number:011d}" for number in range(200)]
    same = sum(a == b for a, b in zip(mask(name, texts), mask(name, texts, key=OTHER), strict=True))
    assert same < (25 if name == "free_text" else 5)


@pytest.mark.parametrize("name", TEXTS)
def test_a_slice_masks_as_its_values(name: str) -> None:
    whole = pa.array(["a@b.test", "4111111111111111", None, "", "10.0.0.1"])
    domain, made = Domain(KEY, name), strategy(name)
    assert made.mask(Column(whole[1:4], domain)).equals(made.mask(Column(whole, domain))[1:4])


def test_an_email_is_letters_at_example_com() -> None:
    assert all(re.fullmatch(r"[a-p]{18}@example\.com", each) for each in mask("email", ["Jane@Bank.test", "x"]))


def test_a_token_has_its_width_in_letters() -> None:
    assert re.fullmatch("[a-p]{32}", mask("token", ["x"], width=32)[0])


@pytest.mark.parametrize(
    ("name", "choices"),
    [("person_name", lists.person_names), ("phone", lists.phones), ("street", lists.streets), ("city", lists.cities)],
)
def test_what_is_picked_is_of_the_list_and_all_of_it_is_used(name: str, choices: Any) -> None:
    allowed = set(choices().to_pylist())
    assert len(allowed) == len(choices())
    found = set(mask(name, [str(number) for number in range(4000)]))
    assert found <= allowed
    assert len(found) > min(len(allowed), 4000) * 0.7


def test_cards_of_listed_issuers_stay_valid_distinct_and_of_the_test_bin() -> None:
    cards = [card_number(issuer, serial) for issuer in ("411111", "555555") for serial in range(1000)]
    found = mask("pan", cards)
    assert len(set(found)) == len(cards)
    assert all(passes_luhn(each) and len(each) == 16 for each in found)
    assert {each[:6] for each in found} == {"424242", "520082"}


def test_cards_of_other_issuers_are_valid_and_refused_where_unique() -> None:
    card = card_number("400000", 7)
    (found,) = mask("pan", [card])
    assert found[:6] == "999999" and passes_luhn(found)
    with pytest.raises(Failed, match="1 card numbers of a unique column") as refused:
        strategy("pan").mask(Column(pa.array([card]), Domain(KEY, "pan"), unique=True))
    assert card not in str(refused.value)


def test_a_card_number_in_groups_is_the_same_card() -> None:
    assert len(set(mask("pan", ["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"]))) == 1


@pytest.mark.parametrize("country", ["DE", "AT", "SE", "FI", "DK", "BE", "PL", "PT", "EE"])
def test_ibans_stay_valid_distinct_and_of_their_country(country: str) -> None:
    ibans = [iban(country, serial) for serial in range(500)]
    found = mask("iban", ibans)
    assert len(set(found)) == len(ibans) and not set(found) & set(ibans)
    assert all(is_iban(each) and each[:2] == country and len(each) == len(ibans[0]) for each in found)


def test_an_iban_with_letters_keeps_them_at_their_places() -> None:
    (found,) = mask("iban", ["GB82WEST12345698765432"])
    assert is_iban(found) and re.fullmatch(r"GB\d\d[A-Z]{4}\d{14}", found) and "WEST" not in found


@pytest.mark.parametrize("text", ["DE00370400440532013000", "no iban", "de89370400440532013000", "DE89"])
def test_what_is_no_iban_becomes_a_token_of_letters(text: str) -> None:
    assert re.fullmatch("[a-p]{24}", mask("iban", [text])[0])


@given(st.sets(st.integers(-(2**40) + 1, 2**40 - 1)))
@settings(max_examples=30, deadline=None)
def test_numbers_stay_distinct_and_clear_of_seed_data(numbers: set[int]) -> None:
    found = mask("number", list(numbers), pa.int64())
    assert len(set(found)) == len(numbers)
    assert all(abs(each) >= 1_000_000 for each in found)


@given(st.lists(st.none() | st.integers(0, 2**40 - 1), min_size=1))
@settings(max_examples=30, deadline=None)
def test_a_number_is_masked_alike_in_every_type(numbers: list[int | None]) -> None:
    wanted = mask("number", numbers, pa.int64())
    as_text = mask("number", [None if each is None else str(each) for each in numbers], pa.string())
    assert [None if each is None else int(each) for each in as_text] == wanted
    assert mask("number", numbers, pa.float64()) == wanted
    decimals = [None if each is None else Decimal(each) for each in numbers]
    assert mask("number", decimals, pa.decimal128(38, 0)) == wanted


@pytest.mark.parametrize("text", ["017", "1.0", "x17", "-", "9" * 18, "9" * 40])
def test_text_that_is_no_number_of_the_domain_becomes_a_token_of_letters(text: str) -> None:
    assert re.fullmatch("[a-p]{24}", mask("number", [text])[0])


@pytest.mark.parametrize("number", [2**40, -(2**40), 2**63 - 1, -(2**63)])
def test_a_number_outside_the_domain_is_refused_and_not_quoted(number: int) -> None:
    with pytest.raises(Failed, match="1 values are not below 2\\^40") as refused:
        mask("number", [number], pa.int64())
    assert str(number) not in str(refused.value)


def shifted(values: list[Any], entities: list[Any], kind: pa.DataType | None = None) -> list[Any]:
    column = Column(pa.array(values, kind), Domain(KEY, "birth_date"), entities=pa.array(entities), entity="customer")
    return strategy("date_shift").mask(column).to_pylist()


def test_an_entity_s_dates_move_together_and_at_most_180_days() -> None:
    days = [date(1980, 1, 1), date(2020, 2, 29)]
    moves = set()
    for entity in range(300):
        found = shifted(days, [entity, entity])
        (move,) = {(a - b).days for a, b in zip(found, days, strict=True)}
        moves.add(move)
    assert min(moves) >= -180 and max(moves) <= 180 and 0 not in moves and len(moves) > 150


def test_dates_times_and_texts_of_an_entity_move_alike() -> None:
    (day,) = shifted([date(2000, 1, 2)], [7])
    assert shifted([datetime(2000, 1, 2, 3, 4)], [7]) == [datetime(day.year, day.month, day.day, 3, 4)]
    assert shifted(["2000-01-02", "2000-01-02T03:04:05Z", None, ""], [7, 7, 7, 7]) == [
        day.isoformat(),
        f"{day.isoformat()}T03:04:05Z",
        None,
        "",
    ]
    assert shifted(["2000-01-02"], ["7"]) == [day.isoformat()]


@pytest.mark.parametrize("text", ["2000-13-01", "2001-02-30", "2 January 2000", "2000-01-02 and Jane"])
def test_a_text_that_is_no_date_becomes_a_token_of_letters(text: str) -> None:
    assert re.fullmatch("[a-p]{24}", shifted([text], [7])[0])


def test_addresses_are_of_the_networks_kept_for_tests() -> None:
    found = [ipaddress.ip_address(each) for each in mask("ip", ["10.0.0.1", "8.8.8.8", "::1", "2a00::1"])]
    assert all(each in ipaddress.ip_network("198.18.0.0/15") for each in found[:2])
    assert all(each in ipaddress.ip_network("3fff::/20") for each in found[2:])
    assert [str(each) for each in found] == mask("ip", ["10.0.0.1", "8.8.8.8", "::1", "2a00::1"])


def test_a_uuid_is_of_version_4() -> None:
    assert {uuid.UUID(each).version for each in mask("uuid", ["x", str(uuid.UUID(int=5))])} == {4}


@pytest.mark.parametrize("length", [1, 8, 9, 32, 33, 128, 129, 512, 513, 2048, 9999])
def test_a_text_becomes_another_of_its_length_class(length: int) -> None:
    class_of = [limit for limit in lists.LENGTH_CLASSES if length <= limit or limit == 2048][0]
    shorter = max((limit for limit in lists.LENGTH_CLASSES if limit < class_of), default=0)
    (found,) = mask("free_text", ["Ж"[: length % 2] + "x" * (length - 2 * (length % 2))])
    assert shorter < len(found) <= class_of
