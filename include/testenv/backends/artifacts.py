"""What environments leave behind in the bucket below `artifacts/ID/`: logs, results, reports. It outlives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from testenv.backends.aws import client, translate
from testenv.config import Config
from testenv.core.errors import Failed
from testenv.core.naming import EnvId, Names, owner_of

PREFIX = "artifacts/"
BATCH = 1000
"""Keys that one request may delete."""


class ArtifactStore:
    """Objects by when they were written. A key below no environment's id is none of ours."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @translate
    def put(self, env_id: EnvId, path: str, body: bytes, content_type: str = "application/json") -> None:
        """Keep `body` as the artifact at `path`, in place of what was there."""
        key = Names(env_id).artifacts + path
        client("s3", self._config).put_object(Bucket=self._config.bucket, Key=key, Body=body, ContentType=content_type)

    @translate
    def get(self, env_id: EnvId, path: str) -> bytes | None:
        """The artifact at `path`, or `None` if there is none."""
        s3 = client("s3", self._config)
        try:
            found = s3.get_object(Bucket=self._config.bucket, Key=Names(env_id).artifacts + path)
        except s3.exceptions.NoSuchKey:
            return None
        return bytes(found["Body"].read())

    @translate
    def older(self, before: datetime) -> Mapping[EnvId, int]:
        """How many objects written before then there are, by environment."""
        return Counter(env_id for env_id, _ in self._older(before))

    @translate
    def delete_older(self, before: datetime) -> Mapping[EnvId, int]:
        """Delete them; how many, by environment."""
        found = list(self._older(before))
        for start in range(0, len(found), BATCH):
            objects = [target for _, target in found[start : start + BATCH]]
            answer = client("s3", self._config).delete_objects(
                Bucket=self._config.bucket, Delete={"Objects": objects, "Quiet": True}
            )
            if errors := answer.get("Errors"):
                raise Failed(
                    f"S3 would not delete {len(errors)} of {len(objects)} artifacts, first {errors[0]['Key']}: "
                    f"{errors[0]['Code']}. Look at the bucket's policy and object locks"
                )
        return Counter(env_id for env_id, _ in found)

    def _older(self, before: datetime) -> Iterator[tuple[EnvId, dict[str, str]]]:
        """Environment and version of each: old versions and what marks a deletion take room, too."""
        pages = client("s3", self._config).get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self._config.bucket, Prefix=PREFIX):
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                env_id = owner_of(entry["Key"])
                if env_id and entry["LastModified"] < before:
                    yield env_id, {"Key": entry["Key"], "VersionId": entry["VersionId"]}
