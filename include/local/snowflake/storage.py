"""S3 as stages see it: list what is under a URL, fetch a file. The credentials are the storage integrations'."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlparse

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local.snowflake import errors
from local.snowflake.settings import Settings


@dataclass(frozen=True)
class StoredFile:
    """A file in S3: its URL, size in bytes, MD5 (the ETag) and time of last change."""

    url: str
    size: int
    md5: str
    last_modified: datetime


class ObjectStore:
    """Reads S3 with one pair of keys. Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._client = boto3.client(
            "s3",
            endpoint_url=settings.s3_endpoint or None,
            aws_access_key_id=settings.aws_access_key_id,
            aws_secret_access_key=settings.aws_secret_access_key,
            region_name=settings.region,
        )

    def list(self, url: str) -> list[StoredFile]:
        """Files whose URL starts with ``url`` (``s3://bucket/prefix``), in order of their names.

        Raises:
            ProgrammingError: 90087 with S3's own words, when it refuses or the bucket is not there.
        """
        bucket, prefix = _locate(url)
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [
                StoredFile(f"s3://{bucket}/{o['Key']}", o["Size"], o["ETag"].strip('"'), o["LastModified"])
                for page in pages
                for o in page.get("Contents", [])
                if not o["Key"].endswith("/")
            ]
        except (ClientError, BotoCoreError) as e:
            raise _refused(url, e) from e

    def fetch(self, url: str, target: Path) -> None:
        """Download one file."""
        bucket, key = _locate(url)
        try:
            self._client.download_file(bucket, key, str(target))
        except (ClientError, BotoCoreError) as e:
            raise _refused(url, e) from e

    def remove(self, urls: "list[str]") -> None:
        """Delete files, as COPY … PURGE = TRUE and REMOVE do."""
        for url in urls:
            bucket, key = _locate(url)
            try:
                self._client.delete_object(Bucket=bucket, Key=key)
            except (ClientError, BotoCoreError) as e:
                raise _refused(url, e) from e


def _locate(url: str) -> tuple[str, str]:
    parsed = urlparse(url)
    return parsed.netloc, parsed.path.lstrip("/")


def _refused(url: str, reason: Exception) -> Exception:
    return errors.error(f"Failure using stage area. Cause: [{reason}] ({url})", 90087, "0A000")
