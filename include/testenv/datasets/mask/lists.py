"""What masked values are picked from: names, places, phone numbers and texts that belong to nobody.

Family names, streets and cities are put together from parts that no language has, with letters that tests need.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterator

import pyarrow as pa

_GIVEN = (
    "Abelone Akim Alrik Anouk Asmund Berit Bożena Calvin Célia Dagny Edwige Elio Emőke Fabiola Folke Gisèle Håvard "
    "Hedda Ilka Ingmar Iñigo Jadwiga Jorunn Kaarel Keanu Lúcia Ludmiła Maëlle Malin Nahia Niklas Noor Oddný Olaf "
    "Ömer Paavo Petra Quirin Ragnar Renée Rikke Rūta Saskia Šimon Solveig Sven Tadeáš Thora Tristan Ulrike Ursel "
    "Valdis Vera Wanja Wilma Xenia Yannick Yrsa Zdeněk Zélie Zoltán Łucja Ørjan Ásta"
)
_STARTS = (
    "Quil Brøx Vant Zünd Łowk Tramm Ösk Grist Hräl Pellq Morv Fennt Çelb Dræv Illk Krasz Nympl Orlq Rusk Sjöv Tolmp "
    "Ulfk Wexl Yarrp Albrz Bontk Cresk Dornt Eskw Farrp Gwylt Hjelq"
)
_ENDS = "aström eweiß ingør ołow urby andez amäki icz exon ouille onheim åberg ereiro udóttir ipescu evich"
_STREETS = "gatan straße vej ulica rua tänav lane allé"
_TOWNS = "stad burg havn ów eira linn ford ville"
_WORDS = (
    "sample text stands here instead of what someone wrote it says nothing about anybody and is only as long as the "
    "words it took the place of grüße och hälsningar z wyrazami for a test"
)

_AREAS = (201, 202, 205, 206, 212, 213, 214, 215, 216, 218, 303, 305, 312, 313, 404, 405, 415, 503, 504, 512)
LENGTH_CLASSES = (8, 32, 128, 512, 2048)
"""Characters that a text of each class has at most; a longer one is of the last class."""

_VARIANTS = 16


@functools.cache
def person_names() -> pa.Array:
    """32,768 names: 64 given, 512 family."""
    families = [start + end for start, end in itertools.product(_STARTS.split(), _ENDS.split())]
    return _array(f"{given} {family}" for given, family in itertools.product(_GIVEN.split(), families))


@functools.cache
def streets() -> pa.Array:
    """25,600 streets with house numbers."""
    return _array(
        f"{start}{end} {number}"
        for start, end, number in itertools.product(_STARTS.split(), _STREETS.split(), range(1, 101))
    )


@functools.cache
def cities() -> pa.Array:
    return _array(start + end for start, end in itertools.product(_STARTS.split(), _TOWNS.split()))


@functools.cache
def postal_codes() -> pa.Array:
    """1,000 codes `00 000` to `00 999`: no country of ours gives out two leading zeros with that blank."""
    return _array(f"00 {number:03d}" for number in range(1000))


@functools.cache
def phones() -> pa.Array:
    """7,095 numbers kept free for fiction: NANP's 555-01xx, Ofcom's (five areas), PTS's 070-174 06 05 to 99."""
    nanp = (f"+1 {area} 555 01{number:02d}" for area, number in itertools.product(_AREAS, range(100)))
    ofcom = (f"{start}{number:03d}" for start, number in itertools.product(_OFCOM, range(1000)))
    pts = (f"+46 70 174 06 {number:02d}" for number in range(5, 100))
    return _array(itertools.chain(nanp, ofcom, pts))


_OFCOM = ("+44 20 7946 0", "+44 7700 900", "+44 113 496 0", "+44 121 496 0", "+44 161 496 0")


@functools.cache
def addresses_v4() -> pa.Array:
    """All of 198.18.0.0/15, which RFC 2544 keeps for benchmarks."""
    return _array(f"198.{18 + (n >> 16)}.{n >> 8 & 255}.{n & 255}" for n in range(1 << 17))


@functools.cache
def texts() -> pa.Array:
    """`_VARIANTS` texts of each length class, by class."""
    rng = random.Random(0)
    made = []
    for limit, shortest in zip(LENGTH_CLASSES, (1, *LENGTH_CLASSES), strict=False):
        for _ in range(_VARIANTS):
            length = rng.randint(max(shortest, limit * 5 // 8), limit)
            words = rng.choices(_WORDS.split(), k=limit)
            made.append(" ".join(words)[:length].rstrip().ljust(shortest + 1, "."))
    return _array(made)


TEXT_VARIANTS = _VARIANTS


def written() -> Iterator[str]:
    """Every text that masking may pick: the leak scan takes their words for nobody's."""
    for made in (person_names, streets, cities, postal_codes, phones, texts):
        yield from made().to_pylist()


def _array(values: object) -> pa.Array:
    return pa.array(list(values), pa.large_string())  # type: ignore[call-overload]
