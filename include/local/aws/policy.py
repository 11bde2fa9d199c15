"""Whether IAM policies permit an action: the evaluation that AWS documents, for what this project's policies use.

moto's own evaluation (moto.iam.access_control) denies where a condition of an Allow does not hold, though another
statement may allow; knows StringEquals alone; and takes a principal's name for a match when it is a substring of the
stated one.

A condition operator that is not known here never grants: its Allow does not apply, its Deny does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Permission:
    """What a request needs: one action on one resource, with the condition keys that AWS would know of it."""

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict, hash=False)


def permits(documents: Iterable[Document], need: Permission) -> bool:
    """True if a statement of the identity policies `documents` allows `need` and none denies it."""
    effects = {s["Effect"] for d in documents for s in _listed(d["Statement"]) if _applies(s, need)}
    return "Allow" in effects and "Deny" not in effects


def trusts(document: Document, principals: frozenset[str], need: Permission) -> bool:
    """True if the trust policy `document` of a role lets a caller known by any of `principals` do `need.action`.

    `principals`: the caller's ARN, its account's root ARN and account number; or a service such as `ecs-
    tasks.amazonaws.com`.
    """
    statements = [s for s in _listed(document["Statement"]) if _names(s.get("Principal"), principals)]
    effects = {s["Effect"] for s in statements if _applies({**s, "Resource": "*"}, need)}
    return "Allow" in effects and "Deny" not in effects


def matches(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """True if `value` is of `pattern`, in which `*` stands for any text and `?` for one character."""
    return bool(_pattern(pattern, ignore_case).fullmatch(value))


@lru_cache(maxsize=4096)
def _pattern(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    text = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _names(principal: Any, principals: frozenset[str]) -> bool:
    if principal == "*":
        return True
    stated = [p for kind in ("AWS", "Service") for p in _listed((principal or {}).get(kind, []))]
    return any(p == "*" or p in principals for p in stated)


def _applies(statement: Document, need: Permission) -> bool:
    if "NotAction" in statement:
        concerned = not any(matches(a, need.action, ignore_case=True) for a in _listed(statement["NotAction"]))
    else:
        concerned = any(matches(a, need.action, ignore_case=True) for a in _listed(statement["Action"]))
    if "NotResource" in statement:
        concerned = concerned and not any(matches(r, need.resource) for r in _listed(statement["NotResource"]))
    else:
        concerned = concerned and any(matches(r, need.resource) for r in _listed(statement["Resource"]))
    if not concerned:
        return False
    return all(
        _condition_holds(operator, key, _listed(expected), need.context, unknown=statement["Effect"] == "Deny")
        for operator, block in statement.get("Condition", {}).items()
        for key, expected in block.items()
    )


_POSITIVE: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda expected, actual: expected == actual,
    "StringEqualsIgnoreCase": lambda expected, actual: expected.lower() == actual.lower(),
    "StringLike": matches,
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": lambda expected, actual: expected.lower() == actual.lower(),
}
_NEGATIVE = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}


def _condition_holds(
    operator: str, key: str, expected: list[Any], context: Mapping[str, str], *, unknown: bool
) -> bool:
    """One operator on one key; `unknown` is the answer for an operator that is not known."""
    actual = next((value for name, value in context.items() if name.lower() == key.lower()), None)
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in expected]
    if operator == "Null":
        return (actual is None) == (texts[0] == "true")
    base = operator.removesuffix("IfExists")
    if base not in _POSITIVE and base not in _NEGATIVE:
        return unknown
    if actual is None:
        return base != operator or base in _NEGATIVE
    holds = any(_POSITIVE[_NEGATIVE.get(base, base)](text, actual) for text in texts)
    return holds != (base in _NEGATIVE)
