"""Quality rules of two contracts: which are gone, and which ask for less; with a result that passes head's alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from testenv.checks.protocol import Witness
from testenv.checks.schema.change import Breaks, Change
from testenv.core.contract import Rule

VALID = "validValues"


def rule_changes(
    base: Sequence[Rule], head: Sequence[Rule], listed: Mapping[str, Sequence[Any]] = MappingProxyType({})
) -> Iterator[Change]:
    """A rule is the same one if it has the same name and place, or asks the same of the same place.

    `listed`: values that head's field itself has more than base's, by path; that a rule lets them pass is no loosening.
    """
    left = list(head)
    for rule in base:
        found = next((each for each in left if _same(rule, each)), None)
        if found is None:
            what = f"the quality rule {rule.name!r} is gone: what breaks it goes unseen"
            yield Change("rule-removed", (Breaks.PROMISE,), rule.path, what, "Keep the rule", _passes(rule.must, {}))
            continue
        left.remove(found)
        if found != rule:
            yield from _compared(rule, found, listed.get(rule.path, ()))
    for rule in left:
        yield Change("rule-added", (), rule.path, f"the quality rule {rule.name!r} is new", "Nothing needs to be done")


def _same(one: Rule, other: Rule) -> bool:
    if one.path != other.path:
        return False
    return (
        one.name == other.name
        or bool(one.metric or one.query)
        and (one.metric, one.query) == (other.metric, other.query)
    )


def _compared(was: Rule, now: Rule, listed: Sequence[Any]) -> Iterator[Change]:
    if (was.metric, was.query) != (now.metric, now.query):
        what = f"the quality rule {was.name!r} asks another question: whether it sees as much is not decided"
        yield Change("rule-changed", (Breaks.PROMISE,), was.path, what, "Add a rule, and keep this", unsure=True)
        return
    if was.arguments != now.arguments:
        yield from _arguments(was, now, listed)
    if was.must != now.must:
        witness = _passes(was.must, now.must)
        if witness is not None:
            what = f"the quality rule {was.name!r} wanted {_said(was.must)} and wants {_said(now.must)}"
            yield Change("rule-loosened", (Breaks.PROMISE,), was.path, what, "Keep the bound", witness)


def _arguments(was: Rule, now: Rule, listed: Sequence[Any]) -> Iterator[Change]:
    before, after = was.arguments.get(VALID), now.arguments.get(VALID)
    others = {
        key for key in was.arguments.keys() | now.arguments.keys() if was.arguments.get(key) != now.arguments.get(key)
    }
    if others == {VALID} and isinstance(before, list) and isinstance(after, list):
        if more := [value for value in after if value not in before and value not in listed]:
            what = f"the quality rule {was.name!r} lets {', '.join(map(repr, more))} pass too"
            how = "in head's list of valid values, and not in base's"
            witness = Witness(kind="value", content=more[0], proved=True, how=how)
            yield Change("rule-loosened", (Breaks.PROMISE,), was.path, what, "Keep the list", witness)
        return
    named = ", ".join(sorted(others))
    what = f"the quality rule {was.name!r} has other arguments ({named}): which is stricter is not decided"
    yield Change("rule-changed", (Breaks.PROMISE,), was.path, what, "Add a rule, and keep this", unsure=True)


def _passes(was: dict[str, Any], now: dict[str, Any]) -> Witness | None:
    """A result of the rule's query that head lets pass and base does not; None if there is none near any bound."""
    bounds = [each for must in (was, now) for value in must.values() for each in _numbers(value)]
    tried = sorted(
        {near for bound in bounds for near in (bound - 1, bound, bound + 1)}, key=lambda each: (each < 0, abs(each))
    )
    for result in tried:
        if _holds(now, result) and not _holds(was, result):
            return Witness(kind="value", content=result, proved=True, how="passes head's bound, and not base's")
    return None


def _numbers(value: Any) -> Iterator[float]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, (int, float)) and not isinstance(each, bool):
            yield each


def _holds(must: dict[str, Any], result: float) -> bool:
    """Whether a result satisfies all of a rule's bounds, as ODCS means them."""
    return all(_one(name, bound, result) for name, bound in must.items())


def _one(name: str, bound: Any, result: float) -> bool:
    match name:
        case "mustBe":
            return bool(result == bound)
        case "mustNotBe":
            return bool(result != bound)
        case "mustBeGreaterThan":
            return bool(result > bound)
        case "mustBeGreaterOrEqualTo":
            return bool(result >= bound)
        case "mustBeLessThan":
            return bool(result < bound)
        case "mustBeLessOrEqualTo":
            return bool(result <= bound)
        case "mustBeBetween":
            return bool(bound[0] <= result <= bound[1])
        case _:
            return not bound[0] <= result <= bound[1]


def _said(must: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in must.items()) or "nothing"
