"""What a part of the stack is: a program to keep running, or a job to do once others are ready."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from local.site import Site


class Step(ABC):
    """A node of the start order: it comes after the steps named in `after`."""

    name: ClassVar[str]
    after: ClassVar[tuple[str, ...]] = ()

    def __init__(self, site: Site) -> None:
        self.site = site

    def exports(self) -> dict[str, str]:
        """Variables for `stack.env`, once this step is done."""
        return {}

    def production_exports(self) -> dict[str, str]:
        """Variables for `production.env`: what may write production."""
        return {}


class Part(Step):
    """A program that the supervisor keeps running."""

    port_names: ClassVar[tuple[str, ...]] = ()
    stop_signal: ClassVar[str] = "TERM"
    stops_first: ClassVar[bool] = False  # a client of the others, which is to end before they do

    def absence(self) -> str:
        """Why the stack does without this part on this machine, and the remedy; empty if it does not."""
        return ""

    @abstractmethod
    def command(self) -> list[str]:
        """Program and arguments. Holds no secret: everybody on the machine sees it."""

    def environ(self) -> dict[str, str]:
        """Variables the program gets, beside a few harmless ones of the user (`supervision.PASSED_ON`)."""
        return {}

    def prepare(self) -> None:
        """Bring about what the program needs: configuration, folders. Idempotent: `up` runs it before each start."""

    @abstractmethod
    def probe(self, started: int) -> None:
        """Return if the program does its work; raise what says why not. STARTED: when it was, in epoch seconds."""

    def bootstrap(self) -> None:
        """Bring about what clients expect to find, over the program's own protocol. Idempotent."""

    def remark(self) -> str:
        """A few words for `status`."""
        return ""


class Job(Step):
    """Work to do in the start order, each time the stack comes up. Idempotent."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The steps without which it makes no sense: it is left out of an `up --only` that lacks one."""
        return self.after

    @abstractmethod
    def run(self) -> None:
        """Do it; `StackError` if it fails."""
