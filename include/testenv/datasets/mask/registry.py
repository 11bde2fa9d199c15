"""Every strategy, by the name that include/catalog/masking.yaml calls it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testenv.datasets.mask import identifiers, strategies
from testenv.datasets.mask.strategy import Strategy, checked

STRATEGIES: Mapping[str, type[Strategy]] = {
    each.name: each
    for each in (
        strategies.Email,
        strategies.PersonName,
        strategies.Phone,
        identifiers.Pan,
        identifiers.Iban,
        strategies.Number,
        strategies.Token,
        strategies.DateShift,
        strategies.Street,
        strategies.City,
        strategies.PostalCode,
        strategies.Ip,
        strategies.Uuid,
        strategies.FreeText,
        strategies.Keep,
    )
}


def make(name: str, params: Mapping[str, Any]) -> Strategy:
    """The strategy `name` with its parameters. Raises `ValueError` saying what is wrong."""
    if name not in STRATEGIES:
        raise ValueError(f"there is no strategy {name!r}; there are {', '.join(STRATEGIES)}")
    return checked(STRATEGIES[name], params)


def guarantees_table() -> str:
    """What each strategy promises, as the table of docs/masking.md."""
    lines = [
        "| strategy | of types | deterministic | unique stays unique | format kept | reversible | collision bound |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, each in STRATEGIES.items():
        said = each.guarantees
        cells = (said.deterministic, said.unique, said.format, said.reversible, said.collision)
        lines.append(f"| `{name}` | {', '.join(sorted(each.types))} | {' | '.join(cells)} |")
    return "\n".join(lines)
