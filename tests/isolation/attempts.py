"""An attempt does one thing to someone's things with a vendor's own client, and raises the vendor's own error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.isolation.parties import Login, Target


@dataclass(frozen=True)
class Attempt:
    """`do(as_, on)`, and the codes of the system's refusals (see `code_of`)."""

    system: str
    do: Callable[[Login, Target], Any]
    refusals: frozenset[str]

    def __call__(self, as_: Login, on: Target) -> Any:
        return self.do(as_, on)

    def __str__(self) -> str:
        return f"{self.system}-{self.do.__name__}"


class Attempts(list[Attempt]):
    """The attempts on one system, gathered by its decorator."""

    def __init__(self, system: str) -> None:
        super().__init__()
        self.system = system

    def __call__(self, *refusals: str) -> Callable[[Callable[[Login, Target], Any]], Callable[[Login, Target], Any]]:
        def add(do: Callable[[Login, Target], Any]) -> Callable[[Login, Target], Any]:
            self.append(Attempt(self.system, do, frozenset(refusals)))
            return do

        return add
