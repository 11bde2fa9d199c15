"""Streaming jobs of an environment, killed at each point of a batch's commit and restarted, on the AWS stand-in.

The estate's own job is unmodified, and comes out whole; one that appends is found out, with the records it doubles.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import boto3
import pytest
from tests.conftest import REPO, RunningStack
from tests.integration.local.aws.support import Account, until

from testenv.backends.kafka_admin import KafkaAdmin
from testenv.backends.kafka_records import RecordProducer
from testenv.checks.diff import Table, diff, files, fingerprint, topic
from testenv.checks.impact.trees import tree_of
from testenv.checks.places import places, rows_of
from testenv.checks.protocol import Outcome
from testenv.checks.release import Release, Tree
from testenv.checks.streaming import StreamingCheck
from testenv.checks.trial.kills import Kill, Point, key, killed
from testenv.checks.trial.record import Output, Record, Run, State
from testenv.config import KafkaConfig
from testenv.core.contract import Contract, Store
from testenv.core.errors import NotFound
from testenv.core.naming import EnvId, Names
from testenv.core.pipelines import Archetype, Criticality, Pipeline

JOB = REPO / "include" / "estate" / "spark" / "card_events.py"
SEED = REPO / "include" / "estate" / "seed" / "kafka" / "card_events.jsonl"
BATCH = 10
RECORDS, BATCHES = 18, 2
NO_MARKER = "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs"
OVER = ("SUCCESS", "FAILED", "CANCELLED")


@dataclass
class Stream:
    """An environment with a topic of card events, and the job that drains it."""

    account: Account
    env_id: EnvId
    topic: str
    kafka: KafkaConfig
    s3: Any = field(init=False)

    def __post_init__(self) -> None:
        self.s3 = self.account.client("s3")

    def url(self, path: str) -> str:
        return f"s3://{self.account.bucket}/{Names(self.env_id).prefix}{path}"

    def run(self, name: str, kill: Kill | None = None, job: str = "card_events.py") -> dict[str, Any]:
        """Drain into the folders `name`; returns the job run when it is over."""
        if kill:
            self.s3.put_object(Bucket=self.account.bucket, Key=key(self.env_id), Body=kill.body())
        arguments = {
            "kafka-secret": f"/testenv/{self.env_id}/kafka",
            "topic": self.topic,
            "group-prefix": Names(self.env_id).topic_prefix + name,
            "checkpoint": self.url(f"checkpoints/{name}/"),
            "output": self.url(f"lake/raw/{name}/"),
            "quarantine": self.url(f"lake/quarantine/{name}/"),
            "batch-records": str(BATCH),
        }
        emr = self.account.client("emr-serverless")
        started = emr.start_job_run(
            applicationId=self.account.application,
            executionRoleArn=self.account.role_arn(str(self.env_id)),
            clientToken=uuid.uuid4().hex,
            jobDriver={
                "sparkSubmit": {
                    "entryPoint": self.url(f"code/{job}"),
                    "entryPointArguments": [f"--{option}={value}" for option, value in arguments.items()],
                    "sparkSubmitParameters": f"--conf {NO_MARKER}=false",
                }
            },
        )["jobRunId"]

        def over() -> dict[str, Any] | None:
            found = emr.get_job_run(applicationId=self.account.application, jobRunId=started)["jobRun"]
            return dict(found) if found["state"] in OVER else None

        return until(over, 180)

    def killed(self, name: str, kill: Kill, job: str = "card_events.py") -> None:
        """Run it and see that it is killed as asked, once."""
        found = self.run(name, kill, job)
        assert (found["state"], killed(found["stateDetails"])) == ("FAILED", kill), found["stateDetails"]
        assert "kill.json" not in self.names("checkpoints/_testenv/"), "a kill is carried out once"

    def restarted(self, name: str, job: str = "card_events.py") -> None:
        found = self.run(name, job=job)
        assert found["state"] == "SUCCESS", found["stateDetails"]

    def names(self, path: str) -> set[str]:
        """What lies in a folder."""
        prefix = Names(self.env_id).prefix + path
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.account.bucket, Prefix=prefix)
        found = {each["Key"].removeprefix(prefix) for page in pages for each in page.get("Contents", ())}
        return {name.split("/")[0] for name in found if name and not name.startswith(".")}  # without folders' markers

    def table(self, path: str) -> Table:
        return files(self.url(path), "json" if "quarantine" in path else "parquet", self.session)

    @property
    def session(self) -> Any:
        found = self.account.session(str(self.env_id))
        return boto3.Session(
            found.access_key_id, found.secret_access_key, found.session_token, self.account.document["region"]
        )


@pytest.fixture(scope="module")
def stream(stack: RunningStack, unreaped: None) -> Iterator[Stream]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", stack.env["AWS_ENDPOINT_URL"])  # Arrow and Polars read it there
        yield from _stream(stack)


def _stream(stack: RunningStack) -> Iterator[Stream]:
    account = Account(stack, json.loads((stack.home / "conf" / "aws.account.json").read_text()))
    names = ("BOOTSTRAP", "USER", "PASSWORD", "SECURITY_PROTOCOL", "SASL_MECHANISM")
    config = KafkaConfig(*(stack.env[f"TESTENV_KAFKA_{name}"] for name in names))
    env_id = EnvId(f"ci-kill{secrets.token_hex(4)}")
    name, admin = Names(env_id).topic("card_events"), KafkaAdmin(config, config.user, config.password)
    account.make_role(str(env_id))
    made = Stream(account, env_id, name, config)
    ssm = account.client("ssm")
    parameter = {"Name": f"/testenv/{env_id}/kafka", "Type": "SecureString"}
    ssm.put_parameter(**parameter, Value=json.dumps({"extra": config.client(config.user, config.password)}))
    for file, text in {"card_events.py": JOB.read_text(), "appends.py": appending(JOB.read_text())}.items():
        made.s3.put_object(Bucket=account.bucket, Key=f"{Names(env_id).prefix}code/{file}", Body=text.encode())
    from confluent_kafka.admin import NewTopic

    admin.each("create_topics", [NewTopic(name, 3, 1)])
    admin.offsets({name: 3})
    sent = RecordProducer(config).produce(name, map(json.loads, SEED.read_text().splitlines()))
    assert sent == RECORDS
    yield made
    admin.delete_topics([name])
    ssm.delete_parameter(Name=parameter["Name"])
    iam = account.client("iam")
    iam.delete_role_policy(RoleName=f"te-{env_id}", PolicyName="access")
    iam.delete_role(RoleName=f"te-{env_id}")


def appending(job: str) -> str:
    """The job with a sink that is at least once: what a batch has written stays when it is run again."""
    before = """good.write.mode("overwrite").parquet(f"{output.rstrip('/')}/{folder}")"""
    assert before in job
    return job.replace(before, 'good.write.mode("append").parquet(output)')


@pytest.fixture(scope="module")
def whole(stream: Stream) -> Stream:
    """After the estate's job has drained the topic undisturbed, into the folders `whole`."""
    stream.restarted("whole")
    assert stream.names("checkpoints/whole/commits/") == {str(number) for number in range(BATCHES)}
    return stream


WRITTEN = {  # point → of batch 0: its offsets, its output, its commit
    Point.BEFORE_OFFSETS: (False, False, False),
    Point.AFTER_OFFSETS: (True, False, False),
    Point.BEFORE_COMMIT: (True, True, False),
    Point.AFTER_COMMIT: (True, True, True),
}


@pytest.mark.long
def test_a_job_killed_at_every_point_leaves_what_an_undisturbed_one_leaves(whole: Stream) -> None:
    """Each run goes on from what the killed one before it left; batch 1 comes to one of the points, too."""
    for point in Point:
        whole.killed("crashed", Kill(point))
        written = tuple(
            batch in whole.names(folder)
            for folder, batch in (
                ("checkpoints/crashed/offsets/", "0"),
                ("lake/raw/crashed/", "batch=000000000"),
                ("checkpoints/crashed/commits/", "0"),
            )
        )
        assert written == WRITTEN[point]
    whole.killed("crashed", Kill(Point.BEFORE_COMMIT, batch=1))
    whole.restarted("crashed")
    for folder in ("lake/raw/", "lake/quarantine/"):
        found = diff(whole.table(f"{folder}whole/"), whole.table(f"{folder}crashed/"))
        assert found.is_empty, found
    verdict = StreamingCheck().check(release(Trial(whole, {"head": "whole", "crashed": "crashed"}, [*Point])))
    assert (verdict.outcome, verdict.findings) == (Outcome.PASSED, ())
    assert "cards: every record of card_events in lake/raw/cards/, or in the quarantine" in verdict.ran


def test_a_kill_of_a_batch_that_never_comes_kills_nothing(whole: Stream) -> None:
    assert whole.run("whole", Kill(Point.BEFORE_OFFSETS, batch=99))["state"] == "SUCCESS"
    assert "kill.json" in whole.names("checkpoints/_testenv/"), "it waits for one that comes there"
    whole.s3.delete_object(Bucket=whole.account.bucket, Key=key(whole.env_id))


def test_an_order_that_is_none_fails_the_job_with_what_it_must_be(stream: Stream) -> None:
    stream.s3.put_object(Bucket=stream.account.bucket, Key=key(stream.env_id), Body=b'{"point": "sometime"}')
    found = stream.run("odd")
    stream.s3.delete_object(Bucket=stream.account.bucket, Key=key(stream.env_id))
    assert found["state"] == "FAILED"
    assert "point: must be one of [before-offsets" in found["stateDetails"]


@dataclass
class Trial:
    """The trial of one job, by its folders: `head` undisturbed, `crashed` after kills at `points` and restarts."""

    stream: Stream
    folders: dict[str, str]
    points: list[Point]

    @property
    def record(self) -> Record:
        run = partial(Run, pipeline="cards", logical_date="2026-01-02", side="head", moment="crashed")
        runs = [each for point in self.points for each in (run(state="killed", killed_at=point), run(state="success"))]
        return Record(
            env_id=str(self.stream.env_id),
            dataset="seed",
            intervals={},
            runs=tuple(runs),
            states=tuple(self._state(moment) for moment in self.folders),
            emulated=("EMR Serverless",),
        )

    def _state(self, moment: str) -> State:
        outputs = [
            Output(
                store=Store.S3,
                name=f"lake/{kind}/cards/",
                fingerprint=fingerprint(self.table(moment, Store.S3, f"lake/{kind}/cards/")),
                writers=("cards",),
            )
            for kind in ("raw", "quarantine")
        ]
        return State(moment=moment, outputs=tuple(outputs))

    def table(self, moment: str, store: Store, name: str) -> Table:
        if store is Store.KAFKA:
            return topic(self.stream.kafka, self.stream.topic)
        if moment not in self.folders:
            raise NotFound(f"there was no moment {moment}")
        return self.stream.table(name.replace("/cards/", f"/{self.folders[moment]}/"))

    def query(self, sql: str) -> list[dict[str, Any]]:
        raise AssertionError("no query is needed")


def release(trial: Trial) -> Release:
    pipeline = Pipeline(
        id="cards",
        owner="cards",
        archetype=Archetype.KAFKA,
        schedule="@hourly",
        sla=timedelta(hours=1),
        criticality=Criticality.LOW,
        inputs=("kafka.card_events",),
        outputs=(),
        streaming=True,
    )
    read = Contract(id="kafka.card_events", version="1", store=Store.KAFKA, name="card_events", owner="o", fields=())
    tree = Tree("HEAD", tree_of({}), {read.id: read})
    return Release(tree, tree, {"cards": pipeline}, trial=trial)


@pytest.mark.long
def test_a_sink_that_appends_is_found_out_by_the_records_it_doubles(whole: Stream) -> None:
    """Undisturbed it writes what the estate's job writes, so that one run serves both."""
    stream = whole
    stream.killed("doubled", Kill(Point.BEFORE_COMMIT), job="appends.py")
    first = places(stream.table("lake/raw/doubled/"))
    stream.restarted("doubled", job="appends.py")
    verdict = StreamingCheck().check(
        release(Trial(stream, {"head": "whole", "crashed": "doubled"}, [Point.BEFORE_COMMIT]))
    )
    assert verdict.outcome is Outcome.FAILED
    [finding] = [each for each in verdict.findings if each.rule == "records-doubled"]
    assert first and finding.where.rows == rows_of(first), "those of the batch that was written twice"
    assert "at every point" in finding.what
