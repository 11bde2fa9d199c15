"""People who do not exist, as customers of a European bank would be: with every letter a name can have."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Country:
    """A country the bank serves. `prefix` begins its phone numbers; `share` is its part of the customers."""

    code: str
    currency: str
    prefix: str
    share: int
    given: tuple[str, ...]
    family: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[tuple[str, str], ...]


COUNTRIES: tuple[Country, ...] = (
    Country(
        "SE",
        "SEK",
        "+46",
        38,
        ("Åsa", "Björn", "Elin", "Göran", "Maja", "Oskar", "Saga", "Ture", "Ebba", "Måns", "Zahra", "Amir"),
        ("Andersson", "Öberg", "Sjöström", "Lindqvist", "Åkesson", "Håkansson", "Nyström", "Haddad", "Björk", "Ek"),
        ("Storgatan", "Kungsgatan", "Björkvägen", "Skolgatan", "Ängsvägen"),
        (("Stockholm", "111 22"), ("Göteborg", "411 05"), ("Malmö", "211 34"), ("Umeå", "903 26")),
    ),
    Country(
        "DE",
        "EUR",
        "+49",
        26,
        ("Jürgen", "Käthe", "Lena", "Sören", "Uwe", "Anneliese", "Björn", "Mehmet", "Özlem", "Felix", "Grete", "Jörg"),
        ("Müller", "Groß", "Weiß", "Schröder", "Yılmaz", "Krüger", "Preuß", "von der Heide", "Jäger", "Böhm"),
        ("Weißdornweg", "Hauptstraße", "Mühlenstraße", "Am Bächle", "Königsallee"),
        (("Berlin", "10115"), ("München", "80331"), ("Köln", "50667"), ("Gießen", "35390")),
    ),
    Country(
        "PL",
        "PLN",
        "+48",
        14,
        ("Łukasz", "Małgorzata", "Zbigniew", "Żaneta", "Stanisław", "Agnieszka", "Grażyna", "Michał"),
        ("Żółć", "Wiśniewska", "Dąbrowski", "Szczęsny", "Kowalczyk", "Jabłońska", "Gęś", "Wróbel"),
        ("Świętokrzyska", "Długa", "Polna", "Łąkowa"),
        (("Łódź", "90-001"), ("Warszawa", "00-001"), ("Kraków", "30-001")),
    ),
    Country(
        "DK",
        "DKK",
        "+45",
        10,
        ("Søren", "Åse", "Mette", "Jørgen", "Bjørk", "Rasmus", "Signe", "Ægir"),
        ("Sørensen", "Kjær", "Østergaard", "Møller", "Nørgaard", "Bæk"),
        ("Nørregade", "Østerbrogade", "Kongens gade"),
        (("København", "1050"), ("Aarhus", "8000"), ("Ærøskøbing", "5970")),
    ),
    Country(
        "PT",
        "EUR",
        "+351",
        7,
        ("João", "Inês", "Conceição", "Tomé", "Luísa", "Gonçalo"),
        ("Gonçalves", "Simões", "Araújo", "Conceição Brandão", "Magalhães"),
        ("Rua da Assunção", "Avenida São João", "Travessa do Poço"),
        (("Lisboa", "1100-053"), ("Porto", "4000-008"), ("Évora", "7000-001")),
    ),
    Country(
        "EE",
        "EUR",
        "+372",
        5,
        ("Tõnu", "Ülle", "Jüri", "Mari-Liis", "Õie", "Андрей"),
        ("Tamm", "Pärn", "Õunapuu", "Kütt", "Иванов"),
        ("Pikk", "Rüütli", "Mäe"),
        (("Tallinn", "10123"), ("Tartu", "51003"), ("Põlva", "63308")),
    ),
)

MAIL_HOSTS = ("post.test", "mejl.test", "briefkasten.test", "poczta.test", "correio.test")
"""The top-level domain `.test` is reserved: no letter can reach anybody."""

_FOLD = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "o", "æ": "ae", "Æ": "ae", "ł": "l", "Ł": "l", "ı": "i", "đ": "d", " ": ".", "'": ""}
)


@dataclass(frozen=True)
class Person:
    name: str
    email: str | None
    phone: str | None
    street: str
    city: str
    postal_code: str
    country: Country


def person(rng: Random, serial: int) -> Person:
    """Draw a person; e-mail and phone are theirs alone, by `serial`. One in 40 gave no e-mail, one in 15 no phone."""
    country = rng.choices(COUNTRIES, [each.share for each in COUNTRIES])[0]
    given, family = rng.choice(country.given), rng.choice(country.family)
    name = f"{given} {family}"
    # As some keyboards send it: the letter, then its accent.
    written = unicodedata.normalize("NFD", name) if rng.random() < 0.02 else name
    city, postal_code = rng.choice(country.cities)
    return Person(
        name=written,
        email=None if rng.random() < 1 / 40 else f"{mail_name(name)}.{serial}@{rng.choice(MAIL_HOSTS)}",
        phone=None if rng.random() < 1 / 15 else f"{country.prefix} 555 {serial // 1000:04d} {serial % 1000:03d}",
        street=f"{rng.choice(country.streets)} {rng.randint(1, 180)}",
        city=city,
        postal_code=postal_code,
        country=country,
    )


def mail_name(name: str) -> str:
    """`name` in the letters of an address: `Jürgen Groß` as `jurgen.gross`; `kunde` where no letter is Latin."""
    folded = unicodedata.normalize("NFKD", name.translate(_FOLD)).encode("ascii", "ignore").decode().lower()
    return folded.strip(".") or "kunde"
