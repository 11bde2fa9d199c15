"""Looking whether a dataset, or the one that an environment stands on, is as fresh as its contracts promise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from testenv.core.contract import Contracts
from testenv.core.errors import Conflict, UnknownDataset
from testenv.core.freshness import Stale, chosen, stale
from testenv.core.lifecycle import ENDED
from testenv.core.naming import EnvId
from testenv.core.spec import LATEST
from testenv.datasets.store import WHOLE
from testenv.engine import Engine


@dataclass(frozen=True)
class Question:
    """What is asked: a dataset version or, where one is named, an environment's; of which contracts (none: of all)."""

    version: str = LATEST
    environment: str = ""
    contracts: tuple[str, ...] = ()
    grace: timedelta = timedelta()


@dataclass(frozen=True)
class Look:
    """What was found. `may_change`: the same question may be answered by another dataset later."""

    dataset: str
    snapshot: datetime | None
    stale: tuple[Stale, ...]
    may_change: bool

    def __str__(self) -> str:
        if not self.stale:
            return f"{self.dataset} is fresh"
        what = f"{self.dataset} is stale" if self.dataset else "no dataset is published"
        time = f"its snapshot is of {self.snapshot:%Y-%m-%d %H:%M} UTC" if self.snapshot else "it has no snapshot"
        return f"{what} ({time}): {'; '.join(map(str, self.stale))}"


def look(engine: Engine, contracts: Contracts, question: Question) -> Look:
    """Answer `question` as of now.

    Raises `Invalid`, `UnknownDataset` and `NotFound` for what does not exist, `Conflict` for an environment that ended.
    Before anything is published, `latest` is stale by every promise.
    """
    of = chosen(contracts, question.contracts)
    version, may_change = _standing(engine, question)
    snapshot = engine.datasets.get(version).snapshot if version else None
    return Look(version, snapshot, stale(of, snapshot, engine.clock(), question.grace), may_change)


def _standing(engine: Engine, question: Question) -> tuple[str, bool]:
    if question.environment:
        environment = engine.ledger.environment(EnvId(question.environment))
        if environment.state in ENDED:
            raise Conflict(f"{environment.env_id} is {environment.state}: it holds no dataset")
        return environment.spec.dataset, engine.kinds[environment.spec.kind].moves(asked=environment.spec.follow)
    try:
        return engine.datasets.resolve(question.version, WHOLE), question.version == LATEST
    except UnknownDataset:
        if question.version == LATEST:
            return "", True
        raise
