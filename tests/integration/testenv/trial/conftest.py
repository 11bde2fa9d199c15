"""A repository under test with changes to try, and releases tried in ci environments of the real stack."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.conftest import REPO

from testenv.backends.registry import connect_engine
from testenv.backends.waiting import wait_until
from testenv.checks.impact.trees import tree_at
from testenv.checks.release import Release, Tree
from testenv.checks.trial.plan import Plan
from testenv.config import Config
from testenv.core.naming import EnvId
from testenv.core.pipelines import load_pipelines
from testenv.core.resources import System
from testenv.datasets.contracts import load_contracts
from testenv.reaper import destroy_wholly
from testenv.source import CODE
from testenv.trials import Trials

Edits = Mapping[str, tuple[str, str]]
"""File → what in it is replaced, and by what."""

Try = Callable[..., Release]
Replan = Callable[[Plan], Plan]


@dataclass(frozen=True)
class Repository:
    """A git repository with the estate's code."""

    folder: Path

    def commit(self, edits: Edits) -> str:
        """The commit of the estate as it is, with `edits`."""
        self.git("checkout", "-q", "--detach", "base")
        for path, (old, new) in edits.items():
            file = self.folder / path
            text = file.read_text(encoding="utf-8")
            assert old in text, f"{path} has no {old!r}"
            file.write_text(text.replace(old, new), encoding="utf-8")
        self.git("commit", "-q", "--allow-empty", "-am", "a change")
        return self.git("rev-parse", "HEAD")

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=a test", "-c", "user.email=test@example.com")
        done = subprocess.run(["git", *who, *words], cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Its branch `base` is the code as it stands."""
    made = Repository(tmp_path_factory.mktemp("repository"))
    for folder in CODE:
        ignored = shutil.ignore_patterns("__pycache__", "target", "logs")
        shutil.copytree(REPO / folder, made.folder / folder, ignore=ignored)
    made.git("init", "-q", "-b", "base")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "base")
    return made


@pytest.fixture(scope="session")
def trials(config: Config, repository: Repository) -> Trials:
    ours = replace(config, repo=repository.folder)
    return Trials(connect_engine(ours), ours)


@pytest.fixture
def try_release(trials: Trials, repository: Repository) -> Iterator[Try]:
    """Tries a change, for the pipelines that are named: the release as checks get it. Environments are destroyed.

    `by` makes another plan of the one that there would be; limits are its fields.
    """
    with ExitStack() as stack:

        def tried(edits: Edits, *affected: str, by: Replan = lambda plan: plan, **limits: int) -> Release:
            base, head = repository.commit({}), repository.commit(edits)
            env_id = provision(trials, head)
            stack.callback(destroy_wholly, trials.engine, env_id)
            contracts = load_contracts()
            pipelines = load_pipelines(contracts)
            plan = by(trials.plan(env_id, affected, pipelines, pipelines, contracts).model_copy(update=limits))
            task = trials.start(env_id, plan, base)
            ended, most = ("succeeded", "failed"), plan.seconds + 60
            wait_until(lambda: trials.engine.run_status(task).state in ended, "the trial has ended", seconds=most)
            trial = stack.enter_context(trials.open(env_id))
            sides = [
                Tree(ref, tree_at(repository.folder, ref), contracts, environment=trial.environment(side))
                for side, ref in (("base", base), ("head", head))
            ]
            chosen = {id_: pipelines[id_] for id_ in affected if id_ in pipelines}
            return Release(*sides, pipelines=chosen, trial=trial)

        yield tried


def provision(trials: Trials, ref: str) -> EnvId:
    """A ci environment of a commit, ready, as a verdict's is."""
    engine, name = trials.engine, f"t{secrets.token_hex(4)}"
    env_id = engine.request({"kind": "ci", "ref": ref, "models": "dataset"}, run_id=name, fallback_name=name).env_id
    engine.admit(env_id)
    engine.ensure(env_id, set(System))
    engine.verify(env_id)
    engine.ready(env_id)
    return env_id
