"""The leak scan: whether a value of production stands in what leaves it.

`Identifiers` collects hashes of every sensitive value, `Known` is their search form, `LeakScan` looks at the output.
All three hold hashes under seeds that are made for the run; what comes out are columns, counts and row numbers.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from testenv.datasets.evidence.leaves import Leaf, is_text, text_buffers

FORMS = {1: "whole value", 2: "inside longer text", 4: "digits only", 8: "base64"}

SHOWN = 5
"""Row numbers, and columns of origin, that a hit names."""

BLIND = (
    "hashed, encrypted, compressed, hexadecimal, percent-encoded or UTF-16 forms",
    "values that are split over columns or rows",
    "places (quasi-identifiers) that stand, as they are, in a public column of reference data too",
    "base64 of fewer than 9 bytes",
    "a single word of letters inside longer text (whole values are searched)",
    "parts of a value, other than an e-mail's local part and windows of 8 words of long text",
    "digits that further digits follow without a separator",
    "numbers of fewer than 13 digits, and dates, in columns of their own type",
    "Avro bodies where no schema is given, and JSON that cannot be parsed, beyond their plain bytes",
)
"""What the scan cannot see, whatever it is given."""


@dataclass(frozen=True)
class Rules:
    """What is searched for. Digits in whole numbers of a column are many, and met by chance: see `LeakScan`."""

    shortest: int = 6
    """Letters and digits that a value has at least."""
    digits: int = 9
    """Digits of a run at least; the chance that a random run is one of a million known ones is 1 in 1,000."""
    text_digits: int = 13
    """The same, in free text: it holds dates and amounts."""
    common: int = 11
    """Words of letters alone that stand in this many cells of each of their columns are common words."""


class Unsearched(BaseModel):
    """Cells of the source that are not searched for, by reason."""

    model_config = ConfigDict(frozen=True)
    too_short: int
    replacement_values: int
    common_words: int


class Hit(BaseModel):
    """A value of production in the output: where, in which form, how often, and in which columns it stands there."""

    model_config = ConfigDict(frozen=True)
    contract: str
    path: str
    form: str
    count: int
    rows: tuple[int, ...]
    origins: tuple[str, ...]
    by_chance: float = 0.0

    @property
    def is_coincidence(self) -> bool:
        """Whether as many are to be expected of strangers: short runs of digits meet others by chance."""
        return self.by_chance > 0.01 and self.count <= self.by_chance + 5 * self.by_chance**0.5 + 3


def fold(text: str) -> str:
    """Without case, accents and forms of one letter that Unicode holds for the same (NFKD)."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", "".join(each for each in apart if not unicodedata.combining(each)))


def _folded(body: bytes | str | None) -> str:
    return fold(body.decode("utf-8", "replace") if isinstance(body, bytes) else body or "")


@dataclass(frozen=True)
class Known:
    """Identifiers in search form. Never written anywhere."""

    seeds: Any = field(repr=False)
    tables: Any = field(repr=False)
    windows: Any
    lasts: Any = field(repr=False)
    lengths: Any
    of_length: Any
    origins: tuple[str, ...]
    size: int
    unsearched: Unsearched

    def find(self, values: pa.Array, tried: Any = None, weights: Any = None) -> tuple[Any, Any]:
        """For every text or whole number, bits of `FORMS`, and the index of the origin or -1.

        `tried` (25 counters) is added to: runs of digits that were looked up, by length. A text counts as often as
        `weights` says, once without.
        """
        from testenv.datasets.evidence import kernel

        tried = np.zeros(kernel.DIGITS + 1, np.int64) if tried is None else tried
        found, origin = np.zeros(len(values), np.uint8), np.full(len(values), -1, np.int32)
        if pa.types.is_integer(values.type):
            numbers = pc.fill_null(values, 0).cast(pa.int64(), safe=False).to_numpy()
            kernel.scan_integers(numbers, self.seeds, self.tables, self.lengths, tried, found, origin)
            return found, origin
        data, offsets = text_buffers(values)
        weights = np.ones(len(values), np.int64) if weights is None else weights
        self._scan(data, offsets, weights, tried, found, origin)
        wide = np.flatnonzero(found & kernel.WIDE)
        if wide.size:
            folded = pa.array([_folded(each) for each in values.take(pa.array(wide)).to_pylist()], pa.large_string())
            inner = np.zeros(len(folded), np.uint8), np.full(len(folded), -1, np.int32)
            self._scan(*text_buffers(folded), weights[wide], tried, *inner)
            found[wide] |= inner[0]
            origin[wide] = np.maximum(origin[wide], inner[1])
        if values.null_count:
            found[values.is_null().to_numpy(zero_copy_only=False)] = 0
        return found & np.uint8(kernel.WIDE - 1), origin

    def _scan(self, data: Any, offsets: Any, weights: Any, tried: Any, found: Any, origin: Any) -> None:
        """One pass over the texts, and one over what their runs of base64 hold."""
        from testenv.datasets.evidence import kernel

        search = (self.seeds, self.tables, self.windows, self.lasts, self.lengths, tried)
        runs = np.zeros(found.size, np.int32)
        kernel.scan(data, offsets, weights, *search, found, origin, runs)
        rows = np.flatnonzero(runs >= kernel.ENCODED)
        nothing = np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64)
        count, size, kept = kernel.decode(data, offsets, rows, *nothing) if rows.size else (0, 0, 0)
        if not count:
            return
        texts, ends, owners = (
            np.zeros(size + int(runs.max()), np.uint8),
            np.zeros(count + 1, np.int64),
            np.zeros(count, np.int64),
        )
        kernel.decode(data, offsets, rows[:kept], texts, ends, owners)
        texts.flags.writeable = False
        inner = np.zeros(count, np.uint8), np.full(count, -1, np.int32)
        kernel.scan(texts, ends, weights[owners], *search, *inner, np.zeros(count, np.int32))
        hits = np.flatnonzero(inner[0] & np.uint8(kernel.WIDE - 1))
        found[owners[hits]] |= kernel.BASE64
        origin[owners[hits]] = inner[1][hits]


class Identifiers:
    """Collects what to search for, batch by batch.

    `allowed` are values that masking may write, such as its lists of names: a value that consists of their words alone
    is not searched for, and counted.
    """

    def __init__(self, allowed: Iterable[str] = (), rules: Rules | None = None) -> None:
        from testenv.datasets.evidence import kernel

        self.rules = rules or Rules()
        self._seeds = np.frombuffer(secrets.token_bytes(32), np.uint64).copy()
        self._origins: dict[str, int] = {}
        self._plain: dict[int, list[Any]] = defaultdict(list)
        self._letters: dict[int, list[tuple[Any, Any]]] = defaultdict(list)
        self._windows, self._lengths = np.zeros(9, np.bool_), Counter[int]()
        self._lasts = np.zeros(kernel.LASTS, np.uint64)
        self._firsts: list[Any] = []
        self._skipped: Counter[int] = Counter()
        self._listed = self._words(allowed)

    def add(self, values: pa.Array, origin: str, semantic_type: str = "", free_text: bool = False) -> None:
        """Values of the column `origin`, of any text type. Nulls are none."""
        values = pc.drop_null(values.dictionary_decode() if pa.types.is_dictionary(values.type) else values)
        index = self._origins.setdefault(origin, len(self._origins))
        least = self.rules.text_digits if free_text else self.rules.digits
        turned = "name" in semantic_type
        wide = self._collect(values, index, least, turned, count=True)
        if wide:
            self._collect(pa.array(map(fold, wide), pa.large_string()), index, least, turned)
        if "mail" in semantic_type:
            self._collect(pc.extract_regex(values, r"(?P<local>.*)@").field(0).drop_null(), index, least, False)
        if "phone" in semantic_type:  # the national number, without what a country dials before it
            digits = pc.replace_substring_regex(values, r"\D", "")
            self._collect(pc.utf8_slice_codeunits(digits, -9), index, least, False)

    def add_text(self, value: str, origin: str, semantic_type: str = "") -> None:
        """One value."""
        self.add(pa.array([value], pa.large_string()), origin, semantic_type)

    def known(self) -> Known:
        """What was collected, in search form."""
        from testenv.datasets.evidence import kernel

        plain = {index: np.unique(np.concatenate(held)) for index, held in self._plain.items()}
        letters = {index: _counted(held) for index, held in self._letters.items()}
        rare, common = self._by_commonness(letters)
        parts = [*plain.items(), *((index, each[np.isin(each, rare)]) for index, (each, _) in letters.items())]
        hashes = np.concatenate([np.zeros(0, np.uint64), *(part for _, part in parts)])
        owners = np.concatenate(
            [np.zeros(0, np.int32), *(np.full(part.size, index, np.int32) for index, part in parts)]
        )
        slots = 1 << max(10, int(hashes.size * 2).bit_length())
        filter_bits = slots * 8
        tables = (
            np.zeros(filter_bits // 64, np.uint64),
            np.uint64(64 - (filter_bits.bit_length() - 1)),
            np.zeros(slots, np.uint64),
            np.full(slots, -1, np.int32),
        )
        kernel.place(hashes, owners, *tables)
        return Known(
            seeds=self._seeds,
            tables=tables,
            windows=self._windows,
            lasts=self._lasts,
            lengths=np.array(sorted(self._lengths), np.int64),
            of_length=np.array([self._lengths[length] for length in range(kernel.DIGITS + 1)]),
            origins=tuple(self._origins),
            size=int(np.count_nonzero(tables[2])),
            unsearched=Unsearched(
                too_short=self._skipped[kernel.SHORT],
                replacement_values=self._skipped[kernel.LISTED],
                common_words=common,
            ),
        )

    def _collect(self, values: pa.Array, index: int, least: int, turned: bool, count: bool = False) -> list[str]:
        """Returns the texts that have letters outside ASCII, NFC."""
        from testenv.datasets.evidence import kernel

        if not len(values):
            return []
        data, offsets = text_buffers(values)
        room = 6 * len(values) + int(offsets[-1] - offsets[0]) // 8
        hashes, rows, forms = np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.int8)
        kinds = np.zeros(len(values), np.uint8)
        rules = (self.rules.shortest, least, turned)
        size = kernel.collect(data, offsets, self._seeds, self._listed, rules, self._lasts, hashes, rows, kinds, forms)
        hashes, rows, forms = hashes[:size], rows[:size], forms[:size]
        self._windows[np.unique(forms[forms > 0])] = True
        for length in np.unique(forms[forms < 0]).tolist():
            self._lengths[-length] += int(np.unique(hashes[forms == length]).size)
        is_letters = kinds[rows] == kernel.LETTERS
        self._plain[index] = _compact([*self._plain[index], np.unique(hashes[~is_letters])])
        if is_letters.any():
            self._letters[index] = _counted_list(
                [*self._letters[index], np.unique(hashes[is_letters], return_counts=True)]
            )
            first = np.unique(rows[is_letters], return_index=True)[1]  # each value is counted by one of its hashes
            self._firsts = _compact([*self._firsts, np.unique(hashes[is_letters][first])])
        if not count:
            return []
        for kind in (kernel.SHORT, kernel.LISTED):
            self._skipped[kind] += int(np.count_nonzero(kinds == kind))
        bodies = values.filter(pa.array(_wide(data, offsets)))
        texts = [each if isinstance(each, str) else each.decode("utf-8", "replace") for each in bodies.to_pylist()]
        return [unicodedata.normalize("NFC", text) for text in texts]

    def _by_commonness(self, letters: dict[int, tuple[Any, Any]]) -> tuple[Any, int]:
        """Hashes that are rare in one of their columns, and the cells of those that are common in all."""
        if not letters:
            return np.zeros(0, np.uint64), 0
        hashes = np.concatenate([each for each, _ in letters.values()])
        counts = np.concatenate([each for _, each in letters.values()])
        rare = np.unique(hashes[counts < self.rules.common])
        firsts = np.unique(np.concatenate(self._firsts))
        return rare, int(counts[np.isin(hashes, firsts) & ~np.isin(hashes, rare)].sum())

    def _words(self, allowed: Iterable[str]) -> Any:
        from testenv.datasets.evidence import kernel

        held = list(allowed)
        texts = pa.array([*held, *map(fold, held)], pa.large_string())
        data, offsets = text_buffers(texts)
        hashes = np.zeros(int(offsets[-1]) + 1, np.uint64)
        return np.unique(hashes[: kernel.word_hashes(data, offsets, self._seeds, hashes)])


def _wide(data: Any, offsets: Any) -> Any:
    """Which texts have a byte outside ASCII."""
    before = np.concatenate([[0], np.cumsum(data[offsets[0] : offsets[-1]] >= 128)])
    return before[offsets[1:] - offsets[0]] > before[offsets[:-1] - offsets[0]]


def _compact(parts: list[Any]) -> list[Any]:
    """Sorted sets of hashes, put together before they are many."""
    return parts if len(parts) < 16 else [np.unique(np.concatenate(parts))]


def _counted(parts: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    hashes, inverse = np.unique(np.concatenate([each for each, _ in parts]), return_inverse=True)
    return hashes, np.bincount(inverse, np.concatenate([each for _, each in parts])).astype(np.int64)


def _counted_list(parts: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    return parts if len(parts) < 16 else [_counted(parts)]


class LeakScan:
    """Looks at an output, leaf by leaf, and counts what it finds."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._rows: dict[tuple[str, str, int], list[int]] = defaultdict(list)
        self._from: dict[tuple[str, str, int], set[int]] = defaultdict(set)
        self._tried: dict[tuple[str, str], Any] = defaultdict(lambda: np.zeros(25, np.int64))
        self._repeats: dict[tuple[str, str], bool] = {}
        self.values = 0

    def look(self, contract: str, leaf: Leaf, first_row: int = 0) -> None:
        """Search a leaf of a batch that begins at `first_row` of its dataset. Whole numbers are searched from 13 digits
        on: shorter ones meet others by chance."""
        values = leaf.values
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if not (is_text(values.type) or pa.types.is_integer(values.type)):
            return
        self.values += len(values)
        found, origin = self._find(values, contract, leaf.path)
        at = np.flatnonzero(found)
        if not at.size:
            return
        for bit in FORMS:
            where = at[(found[at] & bit) > 0]
            if where.size:
                key = (contract, leaf.path, bit)
                self._counts[key] += int(where.size)
                self._rows[key] += (first_row + leaf.rows[where[:SHOWN]]).tolist()
                self._from[key].update(np.unique(origin[where]).tolist())

    def _find(self, values: pa.Array, contract: str, path: str) -> tuple[Any, Any]:
        """As `Known.find`. Of a column whose last batch repeated itself each value is searched once."""
        tried = self._tried[contract, path]
        if not pa.types.is_integer(values.type) and self._repeats.get((contract, path), True):
            held = values.cast(pa.large_binary()).dictionary_encode()
            self._repeats[contract, path] = len(held.dictionary) * 2 <= len(values)
            if self._repeats[contract, path]:
                places = pc.fill_null(held.indices, len(held.dictionary)).to_numpy()
                weights = np.bincount(places, minlength=len(held.dictionary) + 1)
                found, origin = self._known.find(held.dictionary, tried, weights)
                return np.append(found, np.uint8(0))[places], np.append(origin, np.int32(-1))[places]
        return self._known.find(values, tried)

    def hits(self) -> list[Hit]:
        """What was found, most first."""
        return [
            Hit(
                contract=contract,
                path=path,
                form=FORMS[bit],
                count=count,
                rows=tuple(self._rows[contract, path, bit][:SHOWN]),
                origins=tuple(sorted(self._known.origins[each] for each in self._from[contract, path, bit]))[:SHOWN],
                by_chance=self._chance(contract, path) if bit == 4 else 0.0,
            )
            for (contract, path, bit), count in sorted(self._counts.items(), key=lambda each: (-each[1], each[0]))
        ]

    def _chance(self, contract: str, path: str) -> float:
        """Runs of digits of a column that would be known ones if all were random."""
        return round(float((self._tried[contract, path] * self._known.of_length / 10.0 ** np.arange(25)).sum()), 6)
