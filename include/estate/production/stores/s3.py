"""The landing zone: what partners deliver."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

from estate.production.settings import Settings
from estate.production.world import World

LANDING = "landing/"
WRITERS = 8


def fill(world: World, settings: Settings) -> dict[str, int]:
    """Make the objects below `landing/` those of the world; return how many there are, by feed."""
    client = boto3.client("s3", **settings.aws)
    wanted = {LANDING + path: content for path, content in world.landing()}
    held = _etags(client, settings.bucket)
    changed = {key: content for key, content in wanted.items() if held.get(key) != hashlib.md5(content).hexdigest()}
    _put(client, settings.bucket, changed)
    for key in held.keys() - wanted.keys():
        client.delete_object(Bucket=settings.bucket, Key=key)
    feeds = [key.split("/")[1] for key in wanted]
    return {feed: feeds.count(feed) for feed in sorted(set(feeds))}


def _etags(client: Any, bucket: str) -> dict[str, str]:
    """MD5 of each object below `landing/`: what S3 calls an ETag, for objects put whole."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=LANDING)
    return {item["Key"]: item["ETag"].strip('"') for page in pages for item in page.get("Contents", ())}


def _put(client: Any, bucket: str, objects: Mapping[str, bytes]) -> None:
    with ThreadPoolExecutor(WRITERS) as writers:
        puts = [writers.submit(client.put_object, Bucket=bucket, Key=key, Body=body) for key, body in objects.items()]
    for put in puts:
        put.result()
