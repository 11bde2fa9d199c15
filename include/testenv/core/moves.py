"""Moving environments to another dataset version: which, in which order, and by which steps. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from testenv.core.kept import Keeping
from testenv.core.naming import EnvId, Names
from testenv.core.plan import plan
from testenv.core.resources import Action, Resource, Step, System

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Follower:
    """An environment that follows new versions. `snapshot` is that of the dataset it stands on; the seed has none."""

    env_id: EnvId
    always: bool
    snapshot: datetime | None
    expires_at: datetime | None


def in_order_of_need(followers: Iterable[Follower]) -> list[EnvId]:
    """Who is moved first: who always follows before who asked to, then the oldest data, then who lives longest.

    The seed counts as the oldest data: it is of no time.
    """

    def need(one: Follower) -> tuple[bool, datetime, float, EnvId]:
        left = (_LATEST - (one.expires_at or _LATEST)).total_seconds()
        return not one.always, one.snapshot or _EARLIEST, left, one.env_id

    return [one.env_id for one in sorted(followers, key=need)]


def plan_move(
    wanted: Collection[Resource], observed: Collection[Resource], keeping: Keeping, names: Names
) -> tuple[Step, ...]:
    """Steps from `observed` to `wanted`, the new version's, that lose nothing of what is kept.

    As `plan`, and: Kafka tells nothing of which dataset a topic's records are, so each topic that is not kept is made
    anew. A database of which something is kept is made *beside* and then takes the place of the one that is there; a
    database beside that an earlier move left goes as the last, for it may hold the only copy of what is kept.
    """
    wanted, observed = keeping.without_topics(wanted, names), keeping.without_topics(observed, names)
    beside = _beside(names)
    left = [resource for resource in observed if resource in beside]
    topics = [resource for resource in observed if resource.system is System.KAFKA and resource.kind == "topic"]
    there = [r for r in observed if r not in beside and not (r.system is System.KAFKA and r.kind in _TOPIC)]
    steps = plan(wanted, there)
    gone = [step for step in steps if step.action is Action.DESTROY]
    made = [step for step in steps if step.action is Action.ENSURE]
    carried = [
        Resource(other.system, other.kind, other.name, database.settings)
        for other, database in ((other, _step_of(made, main)) for other, main in beside.items())
        if database and keeping.of(other.system)
    ]
    return (
        *(Step(Action.DESTROY, topic) for topic in sorted(topics)),
        *gone,
        *(Step(Action.ENSURE, resource) for resource in sorted(carried)),
        *made,
        *(Step(Action.DESTROY, resource) for resource in sorted({*carried, *left})),
    )


_TOPIC = ("topic", "records")


def _beside(names: Names) -> Mapping[Resource, Resource]:
    """Database that a move makes beside → the one whose place it takes."""

    def database(system: System, name: str) -> Resource:
        return Resource(system, "database", name)

    return {
        database(System.POSTGRES, names.postgres_beside): database(System.POSTGRES, names.postgres_source),
        database(System.SNOWFLAKE, names.snowflake_beside): database(System.SNOWFLAKE, names.snowflake_database),
    }


def _step_of(steps: Iterable[Step], resource: Resource) -> Resource | None:
    return next((step.resource for step in steps if step.resource == resource), None)
