"""Quotas, turns and refusals, on a real ledger."""

from __future__ import annotations

import multiprocessing
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from sqlalchemy.engine import make_url
from tests.integration.testenv.engine.support import NOON, STEPS, clock, destroyed, handed_over, request

from testenv.core.admission import Admitted, Queued
from testenv.core.errors import Conflict, Refused
from testenv.core.kinds import load_kinds
from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.engine import Engine
from testenv.ledger import LedgerWriter, writer


def asks(url: str, env_ids: list[str], queue: multiprocessing.Queue[tuple[str, str, Any]]) -> None:
    """A process that asks for admission of some environments from several threads; tells what each was answered."""
    ledger = LedgerWriter(url)

    def ask(env_id: str) -> None:
        try:
            verdict = ledger.admit(EnvId(env_id), load_kinds(), NOON)
        except Refused as refusal:
            queue.put((env_id, "refused", str(refusal)))
        else:
            queue.put((env_id, type(verdict).__name__, getattr(verdict, "place", 0)))

    with ThreadPoolExecutor(len(env_ids)) as pool:
        list(pool.map(ask, env_ids))
    ledger.close()


def test_sixty_ask_at_once_and_each_gets_its_place_its_turn_or_the_holders(engine: Engine, ledger_url: str) -> None:
    """Forty ci and twenty sandboxes, from four processes of fifteen threads."""
    ci = [request(engine, kind="ci") for _ in range(40)]
    sandboxes = [request(engine, owner="ada") for _ in range(20)]
    everyone = [*ci, *sandboxes]
    random.Random(7).shuffle(everyone)
    context = multiprocessing.get_context("spawn")
    answers: Any = context.Queue()
    shares = [[str(env_id) for env_id in everyone[start::4]] for start in range(4)]
    processes = [context.Process(target=asks, args=(ledger_url, share, answers)) for share in shares]
    for process in processes:
        process.start()
    told = {EnvId(env_id): (verdict, more) for env_id, verdict, more in (answers.get(timeout=60) for _ in everyone)}
    for process in processes:
        process.join(60)
        assert process.exitcode == 0

    assert [told[env_id] for env_id in ci[:30]] == [("Admitted", 0)] * 30, "the first thirty requests"
    assert [told[env_id] for env_id in ci[30:]] == [("Queued", place) for place in range(1, 11)], "in order of request"
    held = {e.env_id for e in engine.ledger.living() if e.spec.kind == "sandbox"}
    refusals = [more for env_id in sandboxes if told[env_id][0] == "refused" for more in [told[env_id][1]]]
    assert len(held) == len(refusals) == 10
    assert all(f"{holder} of ada" in refusal for refusal in refusals for holder in held), "each names all ten holders"
    assert engine.ledger.queue_places(engine.kinds) == {env_id: place for place, env_id in enumerate(ci[30:], 1)}


def test_as_places_come_free_the_queue_moves_in_order_and_nobody_starves(engine: Engine) -> None:
    """Who waits asks in any order, ever again; places come free one by one and in pairs."""
    everyone = [request(engine, kind="ci") for _ in range(60)]
    for env_id in everyone:
        engine.admit(env_id)
    holding, waiting, came_in = everyone[:30], everyone[30:], []
    choice = random.Random(11)
    while waiting:
        for env_id in choice.sample(holding, min(choice.choice([1, 2, 3]), len(waiting))):
            holding.remove(env_id)
            destroyed(engine, env_id)
        asking = list(waiting)
        choice.shuffle(asking)
        with ThreadPoolExecutor(5) as pool:
            told = dict(zip(asking, pool.map(engine.wait, asking), strict=True))
        admitted = {env_id for env_id, verdict in told.items() if isinstance(verdict, Admitted)}
        assert admitted == set(waiting[: len(admitted)]), "never past one who asked before"
        came_in += sorted(admitted, key=everyone.index)
        holding += admitted
        waiting = [env_id for env_id in waiting if env_id not in admitted]
        assert len(holding) == 30 == len(engine.ledger.living())
        assert list(engine.ledger.queue_places(engine.kinds).values()) == list(range(1, len(waiting) + 1))
    assert came_in == everyone[30:]


def test_who_waits_comes_in_when_a_place_is_free_first_come_first_served(engine: Engine) -> None:
    held = [handed_over(engine, kind="ci") for _ in range(30)]
    first, second = request(engine, kind="ci"), request(engine, kind="ci")
    assert [engine.admit(first), engine.admit(second)] == [Queued(1), Queued(2)]
    assert engine.ledger.queue_places(engine.kinds)[second] == 2
    destroyed(engine, held[0])
    assert engine.admit(second) == Queued(1), "the free place is of who came first"
    assert engine.ledger.queue_places(engine.kinds) == {second: 1}
    assert engine.admit(first) == Admitted()


def test_an_eleventh_sandbox_is_refused_and_its_request_ends(engine: Engine) -> None:
    for number in range(10):
        handed_over(engine, name=f"s{number}", owner="ada")
    refused = request(engine, name="s10")
    with pytest.raises(Refused, match="sbx-s0 of ada"):
        engine.admit(refused)
    assert engine.ledger.environment(refused).state is State.REFUSED


@pytest.mark.parametrize("held", [0, 30])
def test_a_request_that_was_never_admitted_may_be_withdrawn_and_leaves_its_place_in_the_queue(
    engine: Engine, held: int
) -> None:
    for _ in range(held):
        handed_over(engine, kind="ci")
    waiting, behind = request(engine, kind="ci"), request(engine, kind="ci")
    if held:
        assert [engine.admit(waiting), engine.admit(behind)] == [Queued(1), Queued(2)]
    assert engine.drain(waiting).state is State.DESTROYED
    with pytest.raises(Conflict, match="destroyed"):
        engine.admit(waiting)
    if held:
        assert engine.ledger.queue_places(engine.kinds)[behind] == 1
    assert engine.abandon(behind, "its run was failed by hand") is State.REFUSED


# ---------------------------------------------------------------- leases


def full(engine: Engine) -> list[EnvId]:
    """Thirty ci environments that hold every place."""
    return [handed_over(engine, kind="ci", ttl_hours=2) for _ in range(30)]


def test_who_waits_and_dies_neither_holds_up_the_queue_nor_comes_in(engine: Engine) -> None:
    held = full(engine)
    dead, alive = request(engine, kind="ci"), request(engine, kind="ci")
    assert [engine.admit(dead), engine.admit(alive)] == [Queued(1), Queued(2)]
    clock(engine).advance(seconds=299)
    assert engine.wait(alive) == Queued(2), "five minutes without a question are a restart, not a death"
    clock(engine).advance(seconds=1)
    assert engine.wait(alive) == Queued(1)
    destroyed(engine, held[0])
    assert engine.wait(alive) == Admitted()
    ended = engine.ledger.environment(dead)
    assert ended.state is State.REFUSED
    assert "no sign of life" in (ended.reason or "")
    with pytest.raises(Conflict, match="refused: its request was withdrawn or is over"):
        engine.wait(dead)


def test_a_request_that_died_before_it_ever_asked_is_passed_over_too(engine: Engine) -> None:
    for _ in range(29):
        handed_over(engine, kind="ci")
    dead, alive = request(engine, kind="ci"), request(engine, kind="ci")
    assert engine.admit(alive) == Queued(1), "the one place is of who came first"
    clock(engine).advance(minutes=5)
    assert engine.wait(alive) == Admitted()
    assert engine.ledger.environment(dead).state is State.REFUSED


def test_who_asks_lives_however_long_ago_it_asked_before(engine: Engine) -> None:
    held = full(engine)
    slow = request(engine, kind="ci")
    assert engine.admit(slow) == Queued(1)
    clock(engine).advance(minutes=30)
    assert engine.wait(slow) == Queued(1)
    destroyed(engine, held[0])
    assert engine.wait(slow) == Admitted()


def test_an_environment_lives_from_its_admission_not_from_its_request(engine: Engine) -> None:
    held = full(engine)
    late = request(engine, kind="ci", ttl_hours=1)
    engine.admit(late)
    for _ in range(20):
        clock(engine).advance(minutes=4)
        assert engine.wait(late) == Queued(1)
    destroyed(engine, held[0])
    assert engine.wait(late) == Admitted()
    assert engine.ledger.environment(late).expires_at == NOON + timedelta(minutes=80 + 60)


def test_an_admission_and_its_plan_are_one(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies between the two leaves a request, not an environment without steps."""
    env_id = request(engine)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer, "_plan", dies)
        with pytest.raises(KeyboardInterrupt):
            engine.admit(env_id)
    assert engine.ledger.environment(env_id).state is State.REQUESTED
    assert engine.admit(env_id) == Admitted()
    assert len(engine.ledger.steps(env_id)) == STEPS


def test_to_wait_takes_no_lock_that_an_admission_waits_for(engine: Engine, ledger_url: str) -> None:
    full(engine)
    env_id = request(engine, kind="ci")
    assert engine.admit(env_id) == Queued(1)
    with psycopg2.connect(make_url(ledger_url).set(drivername="postgresql").render_as_string(False)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (writer._ADMISSION_LOCK,))
            assert engine.wait(env_id) == Queued(1)
    connection.close()
