"""What the scan finds, what it leaves alone, and that it says what it left out."""

from __future__ import annotations

import base64
import string

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testenv.datasets.evidence.leaks import Hit, Identifiers, Known, LeakScan
from testenv.datasets.evidence.leaves import Leaf, leaves


def known(values: list[str], semantic_type: str = "email", allowed: list[str] | None = None) -> Known:
    held = Identifiers(allowed or [])
    held.add(pa.array(values, pa.string()), "customers.field", semantic_type)
    return held.known()


def forms(known: Known, text: str | bytes) -> list[str]:
    scan = LeakScan(known)
    scan.look("t", Leaf("c", pa.array([text]), np.arange(1)))
    return sorted(hit.form for hit in scan.hits())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Zoë.Müller@web.de", "zoe.muller@WEB.DE"),
        ("Zoë.Müller@web.de", "Zoe\u0308.Mu\u0308ller@web.de"),
        ("Straße der Jugend 12", "STRASSE DER JUGEND 12"),
        ("Ирина Петрова", "ИРИНА ПЕТРОВА"),
        ("４５３９１４８８０３４３６４６７", "4539148803436467"),
    ],
)
def test_letters_have_many_forms_and_are_one(value: str, text: str) -> None:
    assert forms(known([value], "street"), text)
    assert forms(known([value], "street"), f"at {text}, then")
    assert forms(known([value], "street"), text.encode())


def test_base64_is_found_behind_a_prefix_in_both_alphabets_and_without_padding() -> None:
    held = known(["Zoë.Müller@web.de"])
    body = "mail??>>: Zoë.Müller@web.de".encode()
    for encoded in (base64.b64encode(body).decode(), base64.urlsafe_b64encode(body).decode().rstrip("=")):
        assert forms(held, f"id-{encoded}") == ["base64"]


@pytest.mark.parametrize("text", ["+33 6 12 34 56 78", "0033612345678", "06.12.34.56.78", "06 12 345 678 (mobile)"])
def test_a_phone_is_found_as_one_dials_it(text: str) -> None:
    assert "digits only" in forms(known(["+33 612 345 678"], "phone"), text)


def test_a_known_run_within_a_longer_number_is_no_phone() -> None:
    assert forms(known(["+33 612 345 678"], "phone"), "order 9983612345678") == []


def test_a_card_number_is_found_as_a_number() -> None:
    scan = LeakScan(known(["4539 1488 0343 6467"], "pan"))
    scan.look("t", Leaf("c", pa.array([4539148803436467, None, -1, 2**63 - 1]), np.arange(4)))
    (hit,) = scan.hits()
    assert (hit.count, hit.rows) == (1, (0,))


def test_long_text_is_known_by_eight_words() -> None:
    held = known(["she said that the parcel never arrived at the green door near the old mill"], "free_text")
    assert forms(held, "note: she said that the parcel never arrived AT, again") == ["inside longer text"]
    assert forms(held, "the parcel never arrived") == []


def test_what_is_left_out_is_counted() -> None:
    held = known(["Bo Li", "Quilby Brøx", "Rivera Campos", *["not known"] * 11], "person_name", ["Quilby", "Brøx"])
    assert held.unsearched.model_dump() == {"too_short": 1, "replacement_values": 1, "common_words": 11}
    assert forms(held, "Quilby Brøx, not known, Bo Li") == []
    assert forms(held, "by Campos Rivera") == ["inside longer text"]


def test_a_name_that_many_share_in_one_column_and_one_has_in_another_is_searched_for() -> None:
    held = Identifiers()
    held.add(pa.array(["Rivera Campos"] * 50), "payments.holder", "person_name")
    held.add(pa.array(["Rivera Campos"]), "customers.name", "person_name")
    assert forms(held.known(), "Rivera Campos") == ["whole value"]


def test_a_single_word_is_found_as_the_whole_alone() -> None:
    held = known(["Rivera"], "family_name")
    assert forms(held, "RIVERA") == ["whole value"]
    assert forms(held, "Rivera Coffee") == []


def test_nulls_slices_and_dictionaries_are_looked_at_as_they_are() -> None:
    values = pa.array(["kim84@mail.org", None, "", "none here", "kim84@mail.org"])
    held = known(["kim84@mail.org"])
    for array in (values, values.dictionary_encode(), values.cast(pa.large_binary()), values.cast(pa.string_view())):
        scan = LeakScan(held)
        scan.look("t", Leaf("c", array.slice(1), np.arange(1, 5)), first_row=100)
        assert [(hit.count, hit.rows) for hit in scan.hits()] == [(1, (104,))]


def test_short_digits_meet_by_chance_and_are_told_apart_from_a_leak() -> None:
    draw = np.random.default_rng(3)
    held = known([str(each) for each in draw.integers(10**8, 10**9, 20_000)], "phone")
    scan = LeakScan(held)
    others = pa.array([str(each) for each in draw.integers(10**8, 10**9, 200_000)])
    scan.look("t", Leaf("c", others, np.arange(len(others))))
    (hit,) = scan.hits()
    assert hit.count == pytest.approx(hit.by_chance, rel=1)
    assert hit.is_coincidence
    assert not Hit.model_validate({**hit.model_dump(), "count": 100}).is_coincidence


def test_values_that_repeat_are_counted_in_every_row() -> None:
    many = [str(number) for number in range(100_000_000, 100_020_000)]  # so that some are met by chance
    searched = known(["49301234567890", "maria.lopez@mail.fr", "Zoë Müller-Lange", *many], "phone")
    texts = ["+49 30 12 34 567 890", None, "maria.lopez@mail.fr", "zoe muller-lange", "300 000 000 000 000", ""]
    texts = [*texts, base64.b64encode(b"call 49301234567890").decode()] * 6
    together, apart = LeakScan(searched), LeakScan(searched)
    together.look("t", Leaf("c", pa.array(texts), np.arange(len(texts))))
    for row, text in enumerate(texts):
        apart.look("t", Leaf("c", pa.array([text], pa.string()), np.arange(1)), row)
    assert together.hits() == apart.hits()
    assert sum(hit.count for hit in together.hits()) >= 4 * 6
    assert any(hit.by_chance for hit in together.hits())


def test_bodies_headers_and_keys_of_objects_are_looked_into() -> None:
    body = b'{"people": [{"mail": "kim84\\u0040mail.org"}], "by": {"kim84@mail.org": 1}, "n": 4539148803436467}'
    headers = pa.array([[("who", b"kim84@mail.org")], []], pa.map_(pa.string(), pa.binary()))
    batch = pa.record_batch({"value": pa.array([body, b"{broken kim84@mail.org"]), "headers": headers})
    held = Identifiers()
    held.add(pa.array(["kim84@mail.org"]), "c.email", "email")
    held.add(pa.array(["4539148803436467"]), "c.pan", "pan")
    scan = LeakScan(held.known())
    for leaf in leaves(batch):
        scan.look("kafka.t", leaf)
    assert {(hit.path, hit.rows) for hit in scan.hits()} == {
        ("value", (1,)),
        ("value.people[].mail", (0,)),
        ("value.by{}", (0,)),
        ("value.n", (0,)),
        ("headers.who", (0,)),
    }


WORDS = st.lists(st.text(string.ascii_letters + "éüßøж", min_size=4, max_size=9), min_size=2, max_size=6)


@given(words=WORDS, around=st.text(" .,;:/<>\"'|", min_size=1, max_size=3), upper=st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_value_is_found_with_anything_around_it(words: list[str], around: str, upper: bool) -> None:
    value = around.join([*words, "77"])
    text = " ".join(["before", *words, "77", "after"])
    held = known([value], "token")
    assert forms(held, text.upper() if upper else text) == ["inside longer text"]
    assert forms(held, base64.b64encode(value.encode()).decode()) == ["base64"]


@given(values=st.lists(st.text(max_size=40), max_size=20), others=st.lists(st.binary(max_size=60), max_size=20))
@settings(max_examples=60, deadline=None)
def test_any_bytes_can_be_looked_at(values: list[str], others: list[bytes]) -> None:
    known(values, "free_text").find(pa.array(others, pa.binary()))


def test_runs_of_base64_that_are_no_text_need_room_too() -> None:
    """The last run decodes for a while and is then none; numpy's own bounds are asked, as the kernel has none."""
    from testenv.datasets.evidence import kernel
    from testenv.datasets.evidence.leaves import text_buffers

    good, bad = base64.b64encode(b"a text of some length").decode(), base64.b64encode(b"sevenb\x00" * 9).decode()
    data, offsets = text_buffers(pa.array([f"{good} {bad}"]))
    rows, nothing = np.zeros(1, np.int64), (np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64))
    count, size, _ = kernel.decode.py_func(data, offsets, rows, *nothing)
    texts, ends, owners = np.zeros(size + len(bad), np.uint8), np.zeros(count + 1, np.int64), np.zeros(count, np.int64)
    kernel.decode.py_func(data, offsets, rows, texts, ends, owners)
    assert bytes(texts[: ends[1]]) == b"a text of some length"


def test_addresses_and_telephone_numbers_are_searched_though_each_of_their_numbers_is_listed() -> None:
    listed = ["Elm Street 195", "Elm Street 77", "Elm Street 18", "Elm Street 163", "Elm Street"]
    assert forms(known(["195.77.18.163"], "ip_address", listed), "from 195.77.18.163")
    assert not forms(known(["Elm Street 77"], "street", listed), "Elm Street 77")


def test_whole_numbers_in_json_are_whole_numbers_and_others_are_not() -> None:
    batch = pa.record_batch([pa.array(['{"id": 992000000001, "rate": 1}', '{"id": 5, "rate": 0.5}'])], names=["v"])
    found = {leaf.path: leaf.values for leaf in leaves(batch) if len(leaf.values)}
    assert found["v.id"].equals(pa.array([992000000001, 5], pa.int64()))
    assert found["v.rate"].equals(pa.array([1.0, 0.5]))
