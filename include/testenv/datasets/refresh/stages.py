"""The stages of a refresh, each of which may be run again: check → prepare → synthesize → load → publish.

`retention.retire` comes after them.

A version is `dYYYYMMDD-RUN`; each of its tiers is a dataset of its own, `VERSION-TIER`, with its own golden databases
and files. What nobody judged, or what was judged and refused, is never published: `publish` alone moves the pointer.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testenv.backends.aws import client, translate
from testenv.backends.postgres_server import Server
from testenv.backends.snowflake import Account
from testenv.config import Config
from testenv.core import drift
from testenv.core.contract import Contracts, Store
from testenv.core.dataset import Dataset, Topic
from testenv.core.errors import Conflict, Drifted, Failed
from testenv.core.kinds import load_kinds
from testenv.core.naming import golden_prefix
from testenv.core.spec import WORKING_TREE
from testenv.datasets import golden_postgres, golden_snowflake, observe
from testenv.datasets.contracts import load_contracts
from testenv.datasets.evidence.canaries import Canaries
from testenv.datasets.evidence.evidence import About, Evidence, judge
from testenv.datasets.evidence.report import render
from testenv.datasets.evidence.signing import public_key, sign, signing_key, verify
from testenv.datasets.mask.keys import Keys
from testenv.datasets.mask.lists import written
from testenv.datasets.mask.policy import compile_policy, load_semantic_types
from testenv.datasets.models import build_models
from testenv.datasets.observe_kafka import kafka
from testenv.datasets.refresh import synthetic
from testenv.datasets.refresh.scratch import scratch
from testenv.datasets.refresh.selection import select
from testenv.datasets.refresh.snapshot import Snapshot
from testenv.datasets.refresh.stored import Maskery
from testenv.datasets.seed import Seed, read_seed
from testenv.datasets.store import MANIFEST, POINTER, DatasetStore
from testenv.datasets.subset import load_tiers
from testenv.datasets.synthesize.model import Profile
from testenv.production import Production
from testenv.source import Repository

EVIDENCE, REPORT, PREPARED = "evidence/evidence.json", "evidence/report.html", "prepared.json"
PROFILE = "profile.json"
UPLOADS = 8

SCHEMAS = "kafka/_schemas.jsonl"
"""The registry's records: production's are the ones that production's records refer to."""


def version_of(run_id: str, at: datetime) -> str:
    """The version that a run makes, however often it is tried."""
    return f"d{at:%Y%m%d}-{hashlib.sha256(run_id.encode()).hexdigest()[:6]}"


@dataclass(frozen=True)
class Refresh:
    """What the stages work with: where everything is, and production as its reader."""

    config: Config
    production: Production
    contracts: Contracts

    @classmethod
    def from_environ(cls, config: Config) -> Refresh:
        return cls(config, Production.from_environ(config), load_contracts())

    # ---------------------------------------------------------------- check

    def check(self) -> None:
        """Compare production's schemas with the contracts, before a row is read. Raises `Drifted` with all there is."""
        found = drift.differences(
            self.contracts,
            {
                **observe.postgres(self.production),
                **observe.s3(self.config, self.production, self.contracts),
                **kafka(self.production, self.contracts),
                **observe.snowflake(self.config, self.production, self.contracts),
            },
        )
        if found:
            raise Drifted("production differs from its contracts:\n" + "\n".join(map(str, found)))

    # ---------------------------------------------------------------- prepare

    def prepare(self, version: str) -> Evidence:
        """Mask a snapshot into the files of all tiers, and judge them. The evidence is written last.

        The only stage that sees production. Of what may hold a value of it, the evidence alone comes to S3.
        """
        if evidence := self.evidence(version):
            return evidence
        policy = compile_policy(self.contracts)
        keys = Keys(client=client("ssm", self.config))
        key = keys.fetch(keys.ensure())
        with (
            scratch(self.config.home / "refresh") as home,
            Snapshot(self.config, self.production, self.contracts) as snapshot,
        ):
            secret = hashlib.sha256(b"subset\0" + key.secret).digest()
            tiers = load_tiers()
            selection = select(snapshot, tiers, secret)
            canaries = Canaries(version, bin_=next(iter(load_semantic_types()["pan"].params["bins"])))
            maskery = Maskery(snapshot, policy, key, selection, canaries, self.production.kafka, home)
            pairs = {id_: maskery.store(contract) for id_, contract in self.contracts.items()}
            generated = synthetic.synthesis(self.contracts, tiers).generated
            found, told = synthetic.profiled(snapshot, selection, generated)
            profile = found.to_json().encode()
            about = About(
                snapshot=snapshot.taken_at,
                made_at=datetime.now(UTC),
                policy_digest=policy.digest,
                key_epoch=key.epoch,
                profile_digest=hashlib.sha256(profile).hexdigest(),
            )
            evidence = judge(version, pairs, self.contracts, about, canaries, written())
            if told and evidence.is_private:  # else the evidence has the reasons, and the profile stays here
                raise Failed("the profile is not written, as it tells too much: " + "; ".join(told))
            topics, schemas = [topic.model_dump() for topic in maskery.topics()], maskery.schemas()
            for tier in maskery.tiers if evidence.is_private else ():
                folder = home / tier
                (folder / "kafka" / "_schemas.jsonl").write_bytes(schemas)
                files = _files(folder)
                (folder / PREPARED).write_text(json.dumps({"topics": topics, "files": files}), encoding="utf-8")
                self._upload(folder, golden_prefix(f"{version}-{tier}"))
        if evidence.is_private:
            self._put(golden_prefix(version) + PROFILE, profile)
        self._put(golden_prefix(version) + REPORT, render(evidence).encode())
        self._put(golden_prefix(version) + EVIDENCE, sign(evidence, signing_key(self.config)))
        return evidence

    def evidence(self, version: str) -> Evidence | None:
        """The version's evidence, its signature proven; None while there is none."""
        body = self._get(golden_prefix(version) + EVIDENCE)
        return None if body is None else verify(body, public_key(self.config))

    # ---------------------------------------------------------------- synthesize

    def synthesize(self, version: str) -> dict[str, str]:
        """Make the files of the tiers of rows that are of nobody; returns what is to be told of each.

        From the profile that the evidence was signed with, and no other. Deterministic: made again, they are the same.
        """
        evidence, profile = self.evidence(version), self._get(golden_prefix(version) + PROFILE) or b""
        if evidence is None or evidence.about.profile_digest != hashlib.sha256(profile).hexdigest():
            raise Failed(f"{version} has no {PROFILE} that its evidence speaks of. Prepare a version anew")
        tiers = load_tiers()
        todo, told = synthetic.synthesis(self.contracts, tiers), {}
        masked = golden_prefix(f"{version}-{next(iter(tiers.fractions))}")
        whole = synthetic.Generation(self.contracts, Profile.from_json(profile.decode()), version)
        for tier, entities in tiers.generated.items():
            with scratch(self.config.home / "refresh") as home:
                folder = home / tier
                whole.sized(tiers, tier).write(todo, folder, lambda name: self._get(masked + name) or b"")
                told[tier] = synthetic.about(todo, version, tiers.entity, entities)
                prepared = {"topics": [], "files": _files(folder), "about": told[tier]}
                (folder / PREPARED).write_text(json.dumps(prepared), encoding="utf-8")
                self._upload(folder, golden_prefix(f"{version}-{tier}"))
        return told

    # ---------------------------------------------------------------- load

    def load(self, version: str, tier: str) -> Dataset:
        """Make a tier's golden databases from its files and the seed, build its models, and write its manifest.

        Raises `Failed` if the version's evidence does not hold: environments may pin whatever has a manifest.
        """
        evidence = self._require_good(version)
        name = f"{version}-{tier}"
        if found := DatasetStore(self.config).find(name):
            return found
        seed, server, account = read_seed(self.config.repo), Server(self.config), Account(self.config)
        warehouse = load_kinds()["ci"].warehouse
        with golden_postgres.publishing(server):
            postgres = golden_postgres.build(
                server,
                name,
                seed.files["schema/postgres.sql"].decode(),
                seed.tables("postgres"),
                {table: self._csv(name, table) for table in self._names(Store.POSTGRES)},
            )
            snowflake = golden_snowflake.build(
                account,
                name,
                warehouse,
                seed.files["schema/snowflake.sql"].decode(),
                seed.tables("snowflake"),
                golden_snowflake.Parquet(
                    f"s3://{self.config.bucket}/{golden_prefix(name)}snowflake/",
                    self.config.snowflake.storage_integration,
                    {contract.name: contract.key for contract in self._of(Store.SNOWFLAKE)},
                ),
            )
            models = build_models(self.config, name, Repository(self.config.repo).archive(WORKING_TREE), warehouse)
            prepared = json.loads(self._get(golden_prefix(name) + PREPARED) or b"{}")
            files, topics = self._merge_seed(name, seed, prepared)
            dataset = Dataset(
                version=name,
                files=files,
                postgres=postgres,
                snowflake=snowflake,
                topics=topics,
                models=models,
                about=prepared.get("about", ""),
                snapshot=evidence.about.snapshot,
            )
            self._put(golden_prefix(name) + MANIFEST, dataset.model_dump_json(indent=1).encode())
        return dataset

    def _of(self, store: Store) -> list[Any]:
        return [contract for contract in self.contracts.values() if contract.store is store]

    def _names(self, store: Store) -> list[str]:
        return [contract.name for contract in self._of(store)]

    def _csv(self, name: str, table: str) -> Iterator[bytes]:
        """A table's file as CSV with a header, block by block."""
        import pyarrow as pa
        import pyarrow.parquet as pq
        from pyarrow import csv

        body = self._get(f"{golden_prefix(name)}postgres/{table}.parquet")
        if body is None:
            raise Failed(f"{name} has no postgres/{table}.parquet. Prepare the version again")
        file = pq.ParquetFile(pa.BufferReader(body))
        header = file.schema_arrow.empty_table()  # written also where there are no rows
        for number, block in enumerate(itertools.chain([header], file.iter_batches())):
            out = pa.BufferOutputStream()
            csv.write_csv(block, out, csv.WriteOptions(include_header=number == 0))
            yield out.getvalue().to_pybytes()

    def _merge_seed(self, name: str, seed: Seed, prepared: dict[str, Any]) -> tuple[dict[str, str], tuple[Topic, ...]]:
        """Put the seed's files and records beside production's; the digests of all files, and the topics."""
        prefix = golden_prefix(name)
        declared = {topic.name: topic for topic in seed.dataset.topics}
        declared |= {each["name"]: Topic.model_validate(each) for each in prepared["topics"]}
        there = [path for path in prepared["files"] if path.startswith(("landing/", "kafka/"))]
        bodies = {path: self._get(prefix + path) or b"" for path in there}
        for path, body in seed.objects().items():
            if path not in there:
                bodies[path] = body
            elif path.startswith("landing/"):
                folder, _, file = path.rpartition("/")
                bodies[f"{folder}/seed-{file}"] = body
            elif path != SCHEMAS and not bodies[path].endswith(body):
                bodies[path] += body
        for path, body in bodies.items():
            self._put(prefix + path, body)
        topics = []
        for path, body in sorted(bodies.items()):
            if path.startswith("kafka/"):
                topic = declared[path.removeprefix("kafka/").removesuffix(".jsonl")]
                topics.append(topic.model_copy(update={"records": len([*filter(bytes.strip, body.splitlines())])}))
        return {path: hashlib.sha256(body).hexdigest() for path, body in sorted(bodies.items())}, tuple(topics)

    # ---------------------------------------------------------------- publish

    def publish(self, version: str) -> None:
        """Let `version` be the current one, if its evidence holds and all of its tiers are whole.

        Raises `Failed` with the reasons; the current version stays what it was.
        """
        self._require_good(version)
        store = DatasetStore(self.config)
        if missing := [tier for tier in load_tiers().names if store.find(f"{version}-{tier}") is None]:
            raise Conflict(f"{version} is not published: its tiers {', '.join(missing)} are not loaded")
        self._put(POINTER, version.encode())

    def _require_good(self, version: str) -> Evidence:
        evidence = self.evidence(version)
        if evidence is None:
            raise Failed(f"{version} was never judged: it has no {EVIDENCE}. Prepare it again")
        if not evidence.verdict:
            raise Failed(f"{version} is not published: " + "; ".join(evidence.reasons))
        return evidence

    # ---------------------------------------------------------------- S3

    @translate
    def _put(self, key: str, body: bytes) -> None:
        client("s3", self.config).put_object(Bucket=self.config.bucket, Key=key, Body=body)

    @translate
    def _get(self, key: str) -> bytes | None:
        s3 = client("s3", self.config)
        try:
            return bytes(s3.get_object(Bucket=self.config.bucket, Key=key)["Body"].read())
        except s3.exceptions.NoSuchKey:
            return None

    def _upload(self, folder: Path, prefix: str) -> None:
        with ThreadPoolExecutor(UPLOADS) as pool:
            list(pool.map(lambda path: self._put(prefix + path, (folder / path).read_bytes()), _files(folder)))


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
