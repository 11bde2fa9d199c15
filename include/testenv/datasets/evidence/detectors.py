"""What looks like a person's identifier, wherever it stands: cards, IBANs, e-mails, social security numbers, phones.

A detector needs no knowledge of production; it finds what the contracts did not expect. Candidates are found by RE2
over whole columns, after reserved values are taken out; what is left is checked by arithmetic.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from testenv.core.contract import Classification, Contract, Field
from testenv.datasets.evidence.leaves import Leaf, is_text
from testenv.datasets.evidence.thresholds import Reserved

SHOWN = 5

MANY, RATE = 20, 0.1
"""Luhn's lets one stranger in ten through. Of fewer candidates than `MANY`, each one that passes counts."""

ANY = r"@|\d[\d ().-]{6,}\d|[A-Z]{2}\d{2}"
"""What every candidate has."""

_IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FI", "NL"), 18),
    **dict.fromkeys(("SI",), 19),
    **dict.fromkeys(("AT", "EE", "LT", "LU"), 20),
    **dict.fromkeys(("CH", "HR", "LI", "LV"), 21),
    **dict.fromkeys(("BG", "DE", "GB", "IE"), 22),
    **dict.fromkeys(("AE", "IL"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "RO", "SA", "SE", "SK"), 24),
    **dict.fromkeys(("PT",), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("FR", "GR", "IT", "MC", "SM"), 27),
    **dict.fromkeys(("CY", "HU", "PL"), 28),
    **dict.fromkeys(("MT",), 31),
}


def passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0


def is_iban(text: str) -> bool:
    """ISO 13616: the length of its country, and 1 modulo 97."""
    bare = text.replace(" ", "")
    if len(bare) != _IBAN_LENGTHS.get(bare[:2]):
        return False
    return int("".join(str(int(each, 36)) for each in bare[4:] + bare[:4])) % 97 == 1


def _is_pan(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    return digits[0] in "23456" and len(set(digits)) > 2 and passes_luhn(digits)


def _is_ssn(text: str) -> bool:
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _is_iban_within(text: str) -> bool:
    """A candidate may have words of text behind it."""
    bare = text.replace(" ", "")
    length = _IBAN_LENGTHS.get(bare[:2], 0)
    return bool(length) and is_iban(bare[:length])


@dataclass(frozen=True)
class Detector:
    """`pattern` finds candidates, `reserved` takes out what is nobody's, `check` decides."""

    kind: str
    pattern: str
    reserved: str
    check: Callable[[str], bool]
    by_chance: bool = False

    def count(self, texts: pa.Array) -> tuple[Any, Any]:
        """For every text, how many candidates, and how many of them pass."""
        if self.reserved:
            texts = pc.replace_substring_regex(texts, self.reserved, "~")
        at = np.flatnonzero(pc.fill_null(pc.match_substring_regex(texts, self.pattern), False).to_numpy(False))
        candidates, passed = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64)
        pattern = re.compile(self.pattern)
        for row, text in zip(at.tolist(), texts.take(pa.array(at)).to_pylist(), strict=True):
            found = pattern.findall(text)
            candidates[row], passed[row] = len(found), sum(map(self.check, found))
        return candidates, passed


def detectors(reserved: Reserved) -> tuple[Detector, ...]:
    """All of them."""
    domains = "|".join(re.escape(each) for each in reserved.email_domains)
    cards = "|".join(r"[ -]?".join(each) for each in reserved.pan_prefixes)
    return (
        Detector("pan", r"\b\d(?:[ -]?\d){12,18}\b", rf"\b(?:{cards})[\d -]*\d\b" if cards else "", _is_pan, True),
        Detector("iban", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b", "|".join(reserved.ibans), _is_iban_within),
        Detector(
            "email",
            r"[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}",
            rf"(?i)@(?:[\w-]+\.)*(?:{domains})\b" if domains else "",
            lambda _: True,
        ),
        Detector("ssn", r"\b\d{3}-\d{2}-\d{4}\b", "", _is_ssn),
        Detector(
            "phone",
            r"(?:\+\d[\d ().-]{7,16}\d|\(\d{3}\) ?\d{3}[ .-]\d{4}|\b\d{3}[.-]\d{3}[.-]\d{4})\b",
            "|".join(rf"(?:\+?1[ .-]?)?(?:\(?\d{{3}}\)?[ .-]?)?{each}" for each in reserved.phones),
            lambda _: True,
        ),
    )


class Finding(BaseModel):
    """A detector that fired: where, how often, and what to do."""

    model_config = ConfigDict(frozen=True)
    contract: str
    path: str
    kind: str
    classification: str
    count: int
    candidates: int
    rows: tuple[int, ...]
    is_chance: bool

    @property
    def remedy(self) -> str:
        """In a sentence."""
        if self.classification in ("", Classification.PUBLIC, Classification.INTERNAL):
            called = f"calls it {self.classification}" if self.classification else "does not name it"
            return (
                f"{self.contract}: {self.path} holds what looks like {self.kind} in {self.count} values, and the "
                f"contract {called}: misclassified. Classify it (free-text, or identifier with semanticType "
                f"{self.kind}) in include/catalog/contracts/{self.contract}.yaml"
            )
        return (
            f"{self.contract}: {self.path} is {self.classification} and holds {self.count} values that look like "
            f"a real {self.kind}. Look at the strategy of its semantic type in include/catalog/masking.yaml"
        )


class Detection:
    """Looks at an output, leaf by leaf."""

    def __init__(self, reserved: Reserved) -> None:
        self._detectors = detectors(reserved)
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._candidates: Counter[tuple[str, str, str]] = Counter()
        self._rows: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        self._classes: dict[tuple[str, str], str] = {}

    def look(self, contract: Contract, field: Field | None, leaf: Leaf, first_row: int = 0) -> None:
        """`field` is what the contract says of the leaf, None if nothing. A masked IBAN is one, and allowed."""
        texts = as_text(leaf.values)
        if texts is None:
            return
        self._classes[contract.id, leaf.path] = str(field.classification or "") if field else ""
        at = np.flatnonzero(pc.fill_null(pc.match_substring_regex(texts, ANY), False).to_numpy(False))
        if not at.size:
            return
        texts = texts.take(pa.array(at))
        for detector in self._detectors:
            if detector.kind == "iban" and field and "iban" in field.semantic_type:
                continue
            candidates, passed = detector.count(texts)
            key = (contract.id, leaf.path, detector.kind)
            self._candidates[key] += int(candidates.sum()) if detector.by_chance else 0
            self._counts[key] += int(passed.sum())
            where = at[np.flatnonzero(passed)][:SHOWN]
            self._rows[key] += (first_row + leaf.rows[where]).tolist()

    def findings(self) -> list[Finding]:
        """What fired, most first."""
        return [
            Finding(
                contract=contract,
                path=path,
                kind=kind,
                classification=self._classes[contract, path],
                count=count,
                candidates=self._candidates[contract, path, kind],
                rows=tuple(self._rows[contract, path, kind][:SHOWN]),
                is_chance=_is_chance(count, self._candidates[contract, path, kind]),
            )
            for (contract, path, kind), count in sorted(self._counts.items(), key=lambda each: (-each[1], each[0]))
            if count
        ]


def _is_chance(count: int, candidates: int) -> bool:
    """Whether as many of `candidates` strangers pass: their mean, and three standard deviations more."""
    return candidates >= MANY and count <= RATE * candidates + 3 * (RATE * (1 - RATE) * candidates) ** 0.5


def as_text(values: pa.Array) -> pa.Array | None:
    """A column as UTF-8 strings; whole numbers from 13 digits on. None for what has neither."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if is_text(values.type):
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            return values
        try:
            return values.cast(pa.large_binary()).cast(pa.large_string())
        except pa.ArrowInvalid:
            return pa.array(
                [each.decode("utf-8", "replace") if each is not None else None for each in values.to_pylist()],
                pa.large_string(),
            )
    if pa.types.is_integer(values.type) and values.null_count < len(values):
        large = pc.greater_equal(pc.abs(values.cast(pa.float64(), safe=False)), 1e12)
        if pc.any(large).as_py():
            return pc.if_else(large, values, None).cast(pa.string())
    return None
