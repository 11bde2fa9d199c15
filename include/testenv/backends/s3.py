"""An environment's part of the bucket, the files that land in it, and the IAM role that sees no more than that."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from testenv.backends.access import Access
from testenv.backends.aws import client, session_client, translate
from testenv.backends.guards import require_derived
from testenv.backends.protocol import Site
from testenv.backends.roles import RoleKeeper
from testenv.config import Config
from testenv.core.errors import Denied, Drifted, Failed
from testenv.core.naming import EnvId, Names, golden_prefix, owner_of
from testenv.core.resources import Resource, System

COPIERS = 8
"""Server-side copies at once."""

_DERIVED = {
    "role": lambda names, name: name == names.iam_role,
    "prefix": lambda names, name: name == names.prefix,
    "landing": lambda names, name: name == names.prefix + "landing/",
}


class S3Backend:
    """Kinds: `role` (IAM), `prefix` (`env/ID/`, marked by `.testenv`), `landing` (the dataset's files, copied).

    `.testenv-landing`, beside the folder and not in it, says which dataset was copied and each object's ETag then.
    """

    system = System.S3

    def __init__(self, config: Config) -> None:
        self._config = config
        self._roles = RoleKeeper(config)

    @translate
    def ensure(self, resource: Resource, site: Site) -> None:
        names = require_derived(resource, _DERIVED)
        match resource.kind:
            case "role":
                self._roles.ensure(names, Access(self._config, site.vault))
            case "prefix":
                body = site.spec.model_dump_json(exclude={"env_id"}, indent=1)
                self._s3.put_object(Bucket=self._bucket, Key=_marker(names), Body=body.encode())
            case "landing":
                self._copy_landing(names, site)

    @translate
    def observe(self, env_id: EnvId | None = None) -> frozenset[Resource]:
        roles = [Resource(self.system, "role", name) for name in self._roles.observe(env_id)]
        found = [part for names in self._environments(env_id) for part in self._parts(names)]
        return frozenset([*roles, *found])

    @translate
    def destroy(self, resource: Resource) -> None:
        names = require_derived(resource, _DERIVED)
        match resource.kind:
            case "role":
                self._roles.destroy(names)
            case "landing":
                self._delete_below(resource.name)
                self._delete_below(_landing_marker(names))
            case "prefix":
                self._delete_below(resource.name)

    @translate
    def probe(self, site: Site) -> Mapping[str, int]:
        """List the landing folder as the environment's role."""
        session = Access(self._config, site.vault).session(site.names)
        s3 = session_client("s3", self._config, session)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=site.names.prefix + "landing/")
        paths = [e["Key"].removeprefix(site.names.prefix) for page in pages for e in page.get("Contents", [])]
        found = len([path for path in paths if not _is_kept(site, path)])
        expected = len([path for path in _landing_files(site) if not _is_kept(site, path)])
        if found != expected:
            raise Drifted(
                f"s3://{self._bucket}/{site.names.prefix}landing/ has {found} objects, the dataset "
                f"{site.dataset.version} has {expected}. Heal the environment, or destroy and provision anew"
            )
        return {"s3.landing": found}

    @translate
    def holds(self, env_id: EnvId, name: str) -> bool:
        """Whether the environment has the object, or any below the folder."""
        key = Names(env_id).prefix + name
        found = (found for found, _ in self._objects(key))
        return any(each == key or name.endswith("/") for each in found)

    # ---------------------------------------------------------------- landing

    def _copy_landing(self, names: Names, site: Site) -> None:
        """Make `landing/` hold the dataset's files and nothing else; what is there and right stays as it is.

        What is kept and there is nobody's business.
        """
        there = {key.removeprefix(names.prefix): etag for key, etag in self._objects(names.prefix + "landing/")}
        present = {path: etag for path, etag in there.items() if not _is_kept(site, path)}
        marker = self._read_landing_marker(names)
        wanted, version = _landing_files(site) - (there.keys() - present.keys()), site.dataset.version
        kept = marker.get("objects", {}) if marker.get("dataset") == version else {}
        right = {path: etag for path, etag in present.items() if path in wanted and kept.get(path) == etag}
        if marker and right.keys() == wanted == present.keys() and marker["dataset"] == version:
            return
        self._delete_below(_landing_marker(names))  # from here until it is written again, the copy is not whole
        self._delete([{"Key": names.prefix + path} for path in present.keys() - wanted])
        source = golden_prefix(version)

        def copy(path: str) -> tuple[str, str]:
            answer = self._s3.copy_object(
                Bucket=self._bucket,
                Key=names.prefix + path,
                CopySource={"Bucket": self._bucket, "Key": source + path},
            )
            return path, answer["CopyObjectResult"]["ETag"]

        with ThreadPoolExecutor(COPIERS) as pool:
            copied = dict(pool.map(copy, sorted(wanted - right.keys())))
        body = json.dumps({"dataset": version, "objects": {**right, **copied}}, indent=1, sort_keys=True)
        self._s3.put_object(Bucket=self._bucket, Key=_landing_marker(names), Body=body.encode())

    def _read_landing_marker(self, names: Names) -> dict[str, Any]:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=_landing_marker(names))
        except self._s3.exceptions.NoSuchKey:
            return {}
        return dict(json.loads(answer["Body"].read()))

    # ---------------------------------------------------------------- inventory

    def _environments(self, env_id: EnvId | None) -> list[Names]:
        """Environments with an object, an old version of one, or an unfinished upload below `env/`."""
        if env_id:
            return [Names(env_id)]
        prefixes: set[str] = set()
        for listing in ("list_object_versions", "list_multipart_uploads"):
            pages = self._s3.get_paginator(listing).paginate(Bucket=self._bucket, Prefix="env/", Delimiter="/")
            prefixes |= {entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])}
        return [Names(owner) for owner in sorted(filter(None, map(owner_of, prefixes)))]

    def _parts(self, names: Names) -> Iterator[Resource]:
        landing = names.prefix + "landing/"
        if self._anything_below(names.prefix):
            yield Resource(self.system, "prefix", names.prefix)
        if marker := self._read_landing_marker(names):
            yield Resource(self.system, "landing", landing, (("dataset", marker["dataset"]),))
        elif self._anything_below(landing):
            yield Resource(self.system, "landing", landing)

    def _anything_below(self, prefix: str) -> bool:
        versions = self._s3.list_object_versions(Bucket=self._bucket, Prefix=prefix, MaxKeys=1)
        if versions.get("Versions") or versions.get("DeleteMarkers"):
            return True
        uploads = self._s3.list_multipart_uploads(Bucket=self._bucket, Prefix=prefix)
        return any(upload["Key"].startswith(prefix) for upload in uploads.get("Uploads", []))

    def _objects(self, prefix: str) -> Iterator[tuple[str, str]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return ((entry["Key"], entry["ETag"]) for page in pages for entry in page.get("Contents", []))

    # ---------------------------------------------------------------- deletion

    def _delete_below(self, prefix: str) -> None:
        """Delete every object, every version of one, and every unfinished upload whose key begins with `prefix`."""
        for page in self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=prefix):
            for upload in page.get("Uploads", []):
                if upload["Key"].startswith(prefix):
                    target = {"Bucket": self._bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
                    self._s3.abort_multipart_upload(**target)
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix):
            entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            self._delete([{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries])

    def _delete(self, objects: list[dict[str, str]]) -> None:
        for start in range(0, len(objects), 1000):  # delete_objects takes 1000 at once
            batch = objects[start : start + 1000]
            answer = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True})
            if errors := answer.get("Errors"):
                first = errors[0]
                kind = Denied if first["Code"] == "AccessDenied" else Failed
                raise kind(
                    f"S3 would not delete {len(errors)} of {len(batch)} objects, first {first['Key']}: "
                    f"{first['Code']}. Look at the bucket's policy and object locks"
                )

    @property
    def _s3(self) -> Any:
        return client("s3", self._config)

    @property
    def _bucket(self) -> str:
        return self._config.bucket


def _marker(names: Names) -> str:
    return names.prefix + ".testenv"


def _landing_marker(names: Names) -> str:
    return names.prefix + ".testenv-landing"


def _is_kept(site: Site, path: str) -> bool:
    return site.keeping.has(System.S3, path)


def _landing_files(site: Site) -> set[str]:
    return {path for path in site.dataset.files if path.startswith("landing/")}
