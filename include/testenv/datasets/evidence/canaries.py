"""Canaries: made-up persons with a value in every sensitive field, to measure what the leak scan finds.

They are planted in a source as rows of their own. A deliberately unmasked copy of them must be found wholly, in every
form; in what masking wrote, none may be.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from testenv.core.contract import Contract, Contracts, Field
from testenv.datasets.evidence.leaks import Known
from testenv.datasets.evidence.leaves import Leaf

ORIGIN = "canary "
"""What the origins of their values begin with."""

FIRST_KEY = 992_000_000_000
"""Keys of canaries are above all others."""


class Recall(BaseModel):
    """How many of the planted values the scan finds: `forms` by form, `missed` the fields where it did not."""

    model_config = ConfigDict(frozen=True)
    persons: int
    planted: int
    found: int
    forms: dict[str, tuple[int, int]]
    missed: tuple[str, ...]
    in_output: int
    """Values of canaries in what masking wrote."""

    @property
    def share(self) -> float:
        """Found of planted."""
        return self.found / self.planted if self.planted else 0.0


class Canaries:
    """`count` persons, the same for the same `seed`. Their cards are below `bin_`: an issuer's that masking knows."""

    def __init__(self, seed: str, count: int = 4, *, bin_: str = "411111") -> None:
        self.persons = tuple(range(count))
        self._seed = seed
        self._bin = bin_

    def rows(self, contract: Contract, given: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """A row for each person, nested as the contract says; whole numbers that lead to a person are the person's.

        `given` are values by path, such as keys of reference data that must exist.
        """
        found = []
        for person in self.persons:
            row: dict[str, Any] = {}
            for field in contract.fields:
                value = (given or {}).get(field.path, self.value(person, field))
                _put(row, field.path, value)
            found.append(row)
        return found

    def value(self, person: int, field: Field) -> Any:
        """What stands in a field of a person's row; equal for equal semantic types, as in production.

        What a store keeps as text although it is more, is text here too.
        """
        value = self._typed(person, field)
        if field.physical_type != "string" or isinstance(value, str):
            return value
        return value.isoformat() if isinstance(value, date) else str(value)

    def _typed(self, person: int, field: Field) -> Any:
        if field.type == "integer":
            return FIRST_KEY + person if field.is_sensitive else person
        if field.type == "number":
            return float(person)
        if field.type == "boolean":
            return False
        if field.type == "date":
            return date(1903, 2, 1) + timedelta(days=41 * person)
        if field.type == "timestamp":
            return datetime(1903, 2, 1) + timedelta(days=41 * person)
        if not field.is_sensitive:
            return field.allowed[0] if field.allowed else f"canary {person}"
        return self.text(person, field.semantic_type)

    def text(self, person: int, semantic_type: str) -> str:
        """A value of a semantic type that no one else has."""
        token = hashlib.sha256(f"{self._seed}/{person}".encode())
        letters = "".join(chr(97 + byte % 26) for byte in token.digest()[:12])
        digits = "".join(str(byte % 10) for byte in token.digest()[12:])
        match semantic_type:
            case _ if semantic_type.endswith("_id"):  # the same key as where it is a number
                return str(FIRST_KEY + person)
            case "email":
                return f"{letters}.{digits[:4]}@canary-{letters[:5]}.org"
            case "person_name":
                return f"{letters[:6].title()} Öz{letters[6:]}"
            case "phone":
                return f"+49 30 {digits[:4]} {digits[4:8]}"
            case "pan":
                return _with_luhn(f"{self._bin}{digits[:9]}")
            case "iban":
                account = f"{digits}{digits}"[:18]
                return f"DE{98 - int(account + '131400') % 97:02}{account}"
            case "ip_address":
                return f"{193 + person}.{int(digits[:2])}.{int(digits[2:4])}.1{digits[4:6]}"
            case "street":
                return f"{letters.title()}weg {digits[:2]}"
            case "postal_code":
                return f"{letters[:3].upper()} {digits[:6]}"
            case "free_text":
                card = _with_luhn(self._bin + digits[:9])
                return f"{letters} said that card {card} was left in the shop near {letters[:7]}"
            case _:
                return f"{letters}{digits[:8]}"

    def stand_in(self, values: pa.Array, field: Field) -> bool:
        """Whether the column holds a canary's value."""
        planted = pa.array([str(self.value(person, field)) for person in self.persons], pa.large_string())
        held = pc.is_in(values.cast(pa.large_binary()), value_set=planted.cast(pa.large_binary()))
        return bool(pc.any(held).as_py())

    def sensitive(self, contracts: Contracts) -> Iterator[tuple[str, Field, str]]:
        """Every contract's sensitive text fields, with each person's value."""
        for contract in contracts.values():
            for field in contract.fields:
                if field.is_sensitive and is_searched(field):
                    for person in self.persons:
                        yield contract.id, field, str(self.value(person, field))


def is_searched(field: Field) -> bool:
    """Whether the scan searches for values of this field; numbers and dates it does not."""
    return field.type == "string"


def disguises(value: str) -> dict[str, str]:
    """A value as it may stand in a leaking output, by form."""
    forms = {
        "as it is": value,
        "upper case": value.upper(),
        "inside longer text": f"see the note of monday, {value}; thanks",
        "base64": base64.b64encode(value.encode()).decode(),
    }
    digits = "".join(each for each in value if each.isdigit())
    if len(digits) >= 13 and len(digits) >= len(value) - 6:
        forms["digits only"] = " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))
    return forms


def recall(known: Known, canaries: Canaries, contracts: Contracts, in_output: int) -> Recall:
    """Scan a deliberately unmasked copy of the canaries, in every form."""
    planted: list[tuple[str, str]] = []
    texts: list[str] = []
    for contract, field, value in canaries.sensitive(contracts):
        for form, text in disguises(value).items():
            planted.append((f"{contract}: {field.path} ({form})", form))
            texts.append(text)
    found, _ = known.find(Leaf("", pa.array(texts, pa.large_string()), np.arange(len(texts))).values)
    hits = (found > 0).tolist()
    of_form = Counter(form for _, form in planted)
    seen = Counter(form for (_, form), hit in zip(planted, hits, strict=True) if hit)
    return Recall(
        persons=len(canaries.persons),
        planted=len(texts),
        found=sum(hits),
        forms={form: (seen[form], of_form[form]) for form in of_form},
        missed=tuple(sorted({where for (where, _), hit in zip(planted, hits, strict=True) if not hit})),
        in_output=in_output,
    )


def _with_luhn(digits: str) -> str:
    total = sum(sum(divmod(2 * int(each), 10)) for each in digits[-1::-2]) + sum(map(int, digits[-2::-2]))
    return f"{digits}{-total % 10}"


def _put(row: dict[str, Any], path: str, value: Any) -> None:
    """Set a nested value: `lines[].merchant.id` makes a list of one."""
    head, _, rest = path.partition(".")
    name, in_list = head.removesuffix("[]"), head.endswith("[]")
    if not rest:
        row[name] = [value] if in_list else value
        return
    held = row.setdefault(name, [{}] if in_list else {})
    _put(held[0] if in_list else held, rest, value)
