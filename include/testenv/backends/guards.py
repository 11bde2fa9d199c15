"""What every backend checks alike: the name before a change, the counts after a probe."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from testenv.core.errors import Drifted, InvalidName
from testenv.core.naming import Names, require_owned
from testenv.core.resources import Resource

Derived = Mapping[str, Callable[[Names, str], bool]]
"""Kind of resource → whether a name is one that the environment's names derive for that kind."""


def require_derived(resource: Resource, derived: Derived) -> Names:
    """The names of the environment that owns `resource`.

    Raises `InvalidName` unless its name is an environment's, and the very one that this kind of resource has.
    """
    names = Names(require_owned(resource.name))
    check = derived.get(resource.kind)
    if check is None or not check(names, resource.name):
        raise InvalidName(
            f"{resource} is not what testenv names so: {resource.system} has the kinds {', '.join(derived)}, each with "
            f"names derived from an environment's id. Nothing was touched"
        )
    return names


def require_counts(where: str, got: Mapping[str, int], expected: Mapping[str, int]) -> None:
    """Raises `Drifted` naming every table or topic whose number differs from the dataset's."""
    wrong = [
        f"{name} has {got.get(name)}, not {expected[name]}"
        for name in sorted(expected)
        if got.get(name) != expected[name]
    ]
    if wrong:
        raise Drifted(
            f"{where} differs from its dataset: {'; '.join(wrong)}. Destroy the environment and provision it anew, "
            "unless it is its pipelines that wrote there"
        )
