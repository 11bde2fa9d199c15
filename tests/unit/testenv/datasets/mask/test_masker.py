"""Batches and records are masked by path, and what no rule names is not passed on."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from testenv.core.errors import Failed
from testenv.datasets.mask.keyed import Key
from testenv.datasets.mask.masker import Masker, mask_batches
from testenv.datasets.mask.parquet import mask_parquet
from testenv.datasets.mask.rules import ENTITY, DatasetPolicy, Rule

KEY = Key("e0001", bytes(range(32)))
IBAN = "DE89370400440532013000"
RULES = (
    Rule("email", "email", "email"),
    Rule("v.lines[].iban", "iban", "iban"),
    Rule("v.lines[].n", "keep"),
    Rule("v.tags[]", "token", "tag"),
    Rule("v.kept", "keep"),
)
POLICY = DatasetPolicy("s3.things", RULES)
VALUES: list[Any] = [
    {"lines": [{"iban": IBAN, "n": 1}, {"iban": None, "n": None}], "tags": ["a", None, "b"], "kept": 1.5},
    None,
    {"lines": [], "tags": None, "kept": None},
    {"lines": None, "tags": [], "kept": 2.0},
    {"lines": [{"iban": IBAN, "n": 3}], "tags": ["a"], "kept": 3.0},
]
KIND = pa.struct(
    {
        "lines": pa.list_(pa.struct({"iban": pa.string(), "n": pa.int64()})),
        "tags": pa.large_list(pa.string()),
        "kept": pa.float64(),
    }
)


def masked(batch: pa.RecordBatch, policy: DatasetPolicy = POLICY) -> pa.RecordBatch:
    (found,) = mask_batches([batch], policy, KEY)
    return found


def nested(values: list[Any], kind: pa.DataType = KIND) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(values, kind)], names=["v"])


def test_structs_lists_json_text_and_records_are_masked_alike() -> None:
    of_records = Masker(POLICY, KEY).records(VALUES, "v")
    texts = [None if each is None else json.dumps(each) for each in VALUES]
    assert masked(nested(VALUES)).column("v").to_pylist() == of_records
    for kind in (pa.string(), pa.binary()):
        found = masked(nested([t if t is None or kind == pa.string() else t.encode() for t in texts], kind))
        assert [None if each is None else json.loads(each) for each in found.column("v").to_pylist()] == of_records
    assert of_records[0]["lines"][0]["iban"] == of_records[4]["lines"][0]["iban"] != IBAN
    assert of_records[0]["tags"][0] == of_records[4]["tags"][0] != "a"
    assert [each and each["kept"] for each in of_records] == [1.5, None, None, 2.0, 3.0]
    assert of_records[2:4] == VALUES[2:4]


def test_slices_are_masked_as_their_rows() -> None:
    whole = nested(VALUES)
    assert masked(whole.slice(1, 4)).to_pylist() == masked(whole).to_pylist()[1:]


def test_records_given_are_not_changed() -> None:
    record = {"lines": [{"iban": IBAN, "n": 1}]}
    Masker(POLICY, KEY).records([record], "v")
    assert record == {"lines": [{"iban": IBAN, "n": 1}]}


@pytest.mark.parametrize(
    ("batch", "path"),
    [
        (pa.RecordBatch.from_pydict({"email": ["a"], "e_mail": ["secret"]}), "e_mail"),
        (nested([{"lines": [{"iban": IBAN, "bic": "secret"}]}], None), "v.lines[].bic"),
        (nested(['{"kept": {"deep": "secret"}}'], pa.string()), "v.kept.deep"),
        (nested(['{"lines": "secret"}'], pa.string()), "v.lines"),
    ],
)
def test_a_path_of_no_contract_is_refused_and_its_value_not_quoted(batch: pa.RecordBatch, path: str) -> None:
    with pytest.raises(Failed, match="stands in no contract") as refused:
        masked(batch)
    assert path in str(refused.value) and "secret" not in str(refused.value)


def test_text_that_should_be_json_and_is_not_is_refused_and_not_quoted() -> None:
    with pytest.raises(Failed, match="holds text that is no JSON") as refused:
        masked(nested(["secret"], pa.string()))
    assert "secret" not in repr(refused.value) + repr(refused.value.__cause__)
    assert refused.value.__suppress_context__


def test_a_value_that_arrow_refuses_is_not_quoted() -> None:
    policy = DatasetPolicy("s3.things", (Rule("x", "number", "customer_id"),))
    with pytest.raises(Failed) as refused:
        masked(pa.RecordBatch.from_pydict({"x": [1.25]}), policy)
    assert "1.25" not in str(refused.value)


def test_a_dictionary_is_masked_by_its_values() -> None:
    plain = pa.array(["a@b.test", None, "a@b.test", ""])
    found = masked(pa.RecordBatch.from_arrays([plain.dictionary_encode()], names=["email"]))
    assert (
        found.column("email")
        .dictionary_decode()
        .equals(masked(pa.RecordBatch.from_arrays([plain], names=["email"])).column("email"))
    )


def test_dates_in_lists_move_with_the_row_s_entity() -> None:
    rules = (Rule("id", "number", "customer_id"), Rule("dates[]", "date_shift", "birth_date"))
    policy = DatasetPolicy("s3.things", rules, "customer", "id")
    day = date(2000, 1, 1)
    batch = pa.RecordBatch.from_pydict({"id": [1, 2, 1], "dates": [[day, day], [], [day]]})
    first, _, third = masked(batch, policy).column("dates").to_pylist()
    assert first == third * 2 and first[0] != day


def test_an_entity_that_is_a_join_away_comes_with_the_batch_and_goes() -> None:
    policy = DatasetPolicy("s3.things", (Rule("day", "date_shift", "birth_date"),), "customer")
    batch = pa.RecordBatch.from_pydict({"day": [date(2000, 1, 1)], ENTITY: [7]})
    assert masked(batch, policy).schema.names == ["day"]
    with pytest.raises(Failed, match=f"Add it to each batch as the column {ENTITY}"):
        masked(batch.select(["day"]), policy)


def test_kafka_keys_and_headers_are_masked_by_path() -> None:
    rules = (Rule("key", "number", "card_id"), Rule("headers.user", "email", "email"))
    masker = Masker(DatasetPolicy("kafka.events", rules), KEY)
    ((key,), (number,)) = masker.values("key", [b"17"]), masker.values("key", [17])
    assert int(key) == number >= 1_000_000
    (headers,) = masker.records([{"user": b"jane@bank.test"}], "headers")
    assert headers["user"].endswith(b"@example.com")
    with pytest.raises(Failed, match=r"headers\.trace: stands in no contract"):
        masker.records([{"trace": b"x"}], "headers")


def test_parquet_is_written_whole_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    source = tmp_path / "source.parquet"
    emails = [f"jane.{n}@bank.test" for n in range(1000)]
    pq.write_table(pa.table({"email": emails}, metadata={"who": "jane"}), source, row_group_size=300)
    for name in ("one", "two"):
        assert mask_parquet(source, tmp_path / name, POLICY, KEY) == 1000
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert b"jane" not in (tmp_path / "one").read_bytes()


def test_a_file_that_cannot_be_masked_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source.parquet"
    pq.write_table(pa.table({"email": ["a"], "unknown": ["b"]}), source)
    with pytest.raises(Failed):
        mask_parquet(source, tmp_path / "target", POLICY, KEY)
    assert [each.name for each in tmp_path.iterdir()] == ["source.parquet"]


def test_dates_in_json_text_move_with_the_entity_that_stands_in_the_text() -> None:
    rules = (Rule("v.owner.id", "keep"), Rule("v.born", "date_shift", "birth_date"))
    in_text = DatasetPolicy("s3.things", rules, "customer", "v.owner.id")
    texts = ['{"owner": {"id": 1}, "born": "2000-01-01"}', None, '{"owner": {"id": "1"}, "born": "2000-01-01"}']
    first, nothing, third = masked(pa.RecordBatch.from_pydict({"v": texts}), in_text).column("v").to_pylist()
    in_column = DatasetPolicy(
        "s3.things", (Rule("id", "keep"), Rule("born", "date_shift", "birth_date")), "customer", "id"
    )
    [born] = (
        masked(pa.RecordBatch.from_pydict({"id": [1], "born": ["2000-01-01"]}), in_column).column("born").to_pylist()
    )
    assert nothing is None and born != "2000-01-01"
    assert [json.loads(first)["born"], json.loads(third)["born"]] == [born, born]
