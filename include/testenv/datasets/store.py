"""The published dataset versions, as their manifests in S3 say."""

from __future__ import annotations

import json
from typing import Any

from testenv.backends.aws import client, translate
from testenv.backends.kafka_records import encode_record
from testenv.config import Config
from testenv.core.dataset import Dataset, with_topics
from testenv.core.errors import InvalidName, UnknownDataset
from testenv.core.naming import golden_prefix
from testenv.core.spec import LATEST
from testenv.datasets.avro import TOPIC, Registry, read_registry
from testenv.datasets.tapes.sets import TapeStore

POINTER = "datasets/current"
"""Key of the object whose text is the published version."""

MANIFEST = "manifest.json"
"""Of a dataset, below its prefix: what it holds. Written last; without it there is none."""

WHOLE = "full"
"""The tier that a version is looked at by where nobody says which: the one that holds the others."""


class DatasetStore:
    """Reads `datasets/current` and `datasets/VERSION/manifest.json`. A version never changes, so it is read once."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._read: dict[str, Dataset] = {}

    def resolve(self, version: str, tier: str = WHOLE) -> str:
        """The dataset that `version` names, of `tier` where it has some.

        `latest` is the published pointer's, `latest-TIER` a tier of it, whichever that is. Raises `UnknownDataset`.
        """
        name, _, asked = version.partition("-")
        if name != LATEST:
            return self._of_tier(version, tier) or self.get(version).version
        current = self.current()
        if current is None:
            raise UnknownDataset(
                "dataset: 'latest' names none, as none is published yet. Publish the seed data first: "
                "python -m testenv.datasets publish-seed"
            )
        if asked:
            return self.get(f"{current}-{asked}").version
        return self._of_tier(current, tier) or current

    def _of_tier(self, version: str, tier: str) -> str | None:
        name = f"{version}-{tier}"
        return name if self.find(name) else None

    def resolve_tapes(self, name: str | None) -> str:
        """The tape set that `name` means; empty for none. Raises `UnknownDataset`."""
        return TapeStore(self._config).resolve(name) if name else ""

    def get(self, version: str, tapes: str = "") -> Dataset:
        """The manifest of `version`, with the topics of a tape set in place of its own where one is named.

        Raises `UnknownDataset` naming those there are.
        """
        dataset = self._get(version)
        return with_topics(dataset, TapeStore(self._config).get(tapes).topics) if tapes else dataset

    def _get(self, version: str) -> Dataset:
        if version not in self._read:
            found = self.find(version)
            if found is None:
                there = ", ".join(self.versions()) or "none yet (python -m testenv.datasets publish-seed)"
                raise UnknownDataset(
                    f"dataset: {ascii(version)[:60]} is no published version; there are {there}. "
                    f"{LATEST!r} names the newest"
                )
            self._read[version] = found
        return self._read[version]

    def registry(self, version: str) -> Registry:
        """The schemas of topics as the version has them; empty where it has none."""
        lines = (self._text(f"{golden_prefix(version)}kafka/{TOPIC}.jsonl") or "").splitlines()
        records = (encode_record(json.loads(line)) for line in lines if line.strip())
        return read_registry((record["key"], record["value"]) for record in records)

    def find(self, version: str) -> Dataset | None:
        """The manifest of `version`, or `None` if it is not whole, or no version at all."""
        try:
            body = self._text(golden_prefix(version) + MANIFEST)
        except InvalidName:
            return None
        return None if body is None else Dataset.model_validate_json(body)

    def current(self) -> str | None:
        """The published version."""
        text = self._text(POINTER)
        return text.strip() if text else None

    @translate
    def versions(self) -> list[str]:
        """Every version that is whole: its manifest is there."""
        pages = (
            client("s3", self._config)
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self._config.bucket, Prefix="datasets/", Delimiter="/")
        )
        prefixes = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        found = [prefix.split("/")[1] for prefix in prefixes]
        return sorted(version for version in found if self.find(version))

    @translate
    def _text(self, key: str) -> str | None:
        s3: Any = client("s3", self._config)
        try:
            return str(s3.get_object(Bucket=self._config.bucket, Key=key)["Body"].read().decode())
        except s3.exceptions.NoSuchKey:
            return None
