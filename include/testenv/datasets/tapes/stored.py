"""Tapes in S3: sealed there by a manifest that is uploaded last, and brought from there whole or not at all."""

from __future__ import annotations

from pathlib import Path

from testenv.backends.aws import client, translate
from testenv.config import Config
from testenv.core.errors import Conflict, NotFound
from testenv.datasets.tapes.form import MANIFEST, Manifest, Tape, read_manifest, require_whole


@translate
def seal(config: Config, tape: Tape, prefix: str) -> None:
    """Upload a tape below `prefix` (`datasets/VERSION/TIER/tapes/TOPIC/`), its manifest last.

    A sealed tape never changes: sealing the same one again does nothing, another raises `Conflict`.
    """
    there = sealed(config, prefix)
    if there is not None:
        if there != tape.manifest:
            raise Conflict(
                f"s3://{config.bucket}/{prefix} holds another tape, which is sealed. Seal under a new version"
            )
        return
    s3 = client("s3", config)
    for partition in tape.manifest.partitions:
        require_whole(tape.folder / partition.file, partition)
        s3.upload_file(str(tape.folder / partition.file), config.bucket, f"{prefix}{partition.file}")
    body = (tape.folder / MANIFEST).read_bytes()
    s3.put_object(Bucket=config.bucket, Key=f"{prefix}{MANIFEST}", Body=body, ContentType="application/json")


@translate
def fetch(config: Config, prefix: str, folder: Path) -> Tape:
    """Bring a sealed tape into `folder`. Raises `NotFound` if none is sealed there, `Failed` if a file was changed."""
    manifest = sealed(config, prefix)
    if manifest is None:
        raise NotFound(f"no tape is sealed at s3://{config.bucket}/{prefix}: {MANIFEST} is not there. Record it first")
    folder.mkdir(parents=True, exist_ok=True)
    for partition in manifest.partitions:
        path = folder / partition.file
        client("s3", config).download_file(config.bucket, f"{prefix}{partition.file}", str(path))
        require_whole(path, partition)
    return Tape(manifest, folder)


def sealed(config: Config, prefix: str) -> Manifest | None:
    """The manifest of the tape that is sealed below `prefix`, if one is."""
    from botocore.exceptions import ClientError

    key = f"{prefix}{MANIFEST}"
    try:
        body = client("s3", config).get_object(Bucket=config.bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
    return read_manifest(body.decode(), f"s3://{config.bucket}/{key}")
