"""The checks there are, by name. Each is imported when it is made: half of them bring libraries that take seconds.

A team adds one with a class of its own (docs/checks.md): as an entry point of the group `testenv.checks`, or in its
repository's `testenv.yaml`, `checks: {NAME: package.module:Class}`. The class must be importable where the control
plane runs; code of the tree under test never is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from testenv.checks.protocol import Check
from testenv.core.errors import Invalid, InvalidCatalog

BUILT_IN = {
    "schema": "testenv.checks.schema:SchemaCheck",
    "idempotency": "testenv.checks.idempotency:IdempotencyCheck",
    "backfill": "testenv.checks.backfill:BackfillCheck",
    "quality": "testenv.checks.quality:QualityCheck",
    "diff": "testenv.checks.difference:DifferenceCheck",
    "streaming": "testenv.checks.streaming:StreamingCheck",
    "isolation": "testenv.checks.isolation:IsolationCheck",
}
"""Name → where its class is, in the order of a report."""

STATIC = frozenset({"schema"})
"""Those that have something to say where nothing ran."""

GROUP = "testenv.checks"


def known(stated: Mapping[str, str] | None = None) -> dict[str, str]:
    """Every check, name → `module:Class`: our own, those that are installed, and those that a repository states.

    None of them may take the name of another: a change could else replace what judges it. Raises `InvalidCatalog`.
    """
    found = dict(BUILT_IN)
    installed = {each.name: each.value for each in entry_points(group=GROUP)}
    for source, more in ((f"an entry point of {GROUP}", installed), ("testenv.yaml: checks", dict(stated or {}))):
        for name, place in sorted(more.items()):
            if found.get(name, place) != place:
                raise InvalidCatalog(
                    f"{source}: {name!r} is a check already, {found[name]}; got {place!r}. Choose another name"
                )
            found[name] = place
    return found


def chosen(asked: Collection[str], places: Mapping[str, str]) -> tuple[str, ...]:
    """The names to judge by, in the order of a report: all, if none is asked for. Raises `Invalid`."""
    if unknown := sorted(set(asked) - set(places)):
        raise Invalid(f"checks: there is no {', '.join(map(repr, unknown))}. There are {', '.join(places)}")
    return tuple(name for name in places if not asked or name in asked)


def make(name: str, places: Mapping[str, str]) -> Check:
    """The check of that name. Raises `InvalidCatalog` where its class is not there, or is no check."""
    module, _, attribute = places[name].partition(":")
    try:
        made = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InvalidCatalog(
            f"the check {name!r} cannot be imported from {places[name]!r}: {error}. It must be installed where the "
            "control plane runs, and be named package.module:Class"
        ) from error
    if not isinstance(made, type) or not callable(getattr(made, "check", None)):
        raise InvalidCatalog(f"the check {name!r}: {places[name]!r} is no class with a method check(release)")
    return cast(Check, made())
