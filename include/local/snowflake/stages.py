"""Stages: named places of files, in S3 behind a storage integration or in a folder of the server."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fakesnow.transforms import stage as fakesnow_stage

from local.snowflake import errors, privileges
from local.snowflake.names import split
from local.snowflake.privileges import Need
from local.snowflake.session import Session
from local.snowflake.storage import StoredFile

TABLE = "_fs_global._fs_information_schema._fs_stages"


@dataclass(frozen=True)
class Stage:
    """A named stage. ``url`` ends with a slash, and is empty for an internal stage."""

    name: tuple[str, ...]
    url: str
    integration: str | None

    @property
    def external(self) -> bool:
        return bool(self.url)


@dataclass(frozen=True)
class Location:
    """A path in a stage, as ``@stage/path`` names it."""

    stage: Stage
    path: str

    @property
    def prefix(self) -> str:
        """What the URLs (or, for an internal stage, the file paths) of its files start with."""
        if self.stage.external:
            return self.stage.url + self.path
        return fakesnow_stage.internal_dir(".".join(self.stage.name)) + self.path


def find(session: Session, name: tuple[str, ...]) -> Stage | None:
    rows = session.engine.catalog.rows(
        f"SELECT url, storage_integration FROM {TABLE} WHERE (database_name, schema_name, name) = (?, ?, ?)", [*name]
    )
    return Stage(name, rows[0][0] or "", rows[0][1]) if rows else None


def resolve(session: Session, reference: str, privilege: str = "READ") -> Location:
    """The location that ``@[db.][schema.]stage[/path]`` names, if the role may read it.

    An external stage asks for USAGE, an internal one for READ or WRITE (``privilege``).

    Raises:
        ProgrammingError: 2003 for a stage that is not there or hidden, 3001 for a missing privilege.
    """
    written, _, path = reference.strip("'").removeprefix("@").partition("/")
    if written.startswith(("~", "%")):
        raise errors.unsupported(f"the stage @{written}; create a named stage")
    name = session.complete(split(written), 3)
    stage = find(session, name)
    wanted = "USAGE" if stage and stage.external else privilege
    privileges.require(Need((wanted,), "STAGE", name), session)
    if stage is None:
        raise errors.missing("Stage", privileges.quote_plain(name))
    if stage.external:
        require_allowed(session, stage.integration, stage.url)
    return Location(stage, path)


def require_allowed(session: Session, integration: str | None, url: str) -> None:
    """Check that a storage integration may reach a URL.

    Raises:
        ProgrammingError: 2003 for an unknown integration, 3150 for a URL outside its STORAGE_ALLOWED_LOCATIONS or
            inside its STORAGE_BLOCKED_LOCATIONS, or when it is disabled.
    """
    if integration is None:
        raise errors.error(
            f"SQL compilation error:\nThe stage at '{url}' has no STORAGE_INTEGRATION; the local Snowflake reads S3 "
            "with a storage integration only.", 3150, "42601")  # fmt: skip
    found = session.engine.catalog.find("INTEGRATION", integration)
    if not found:
        raise errors.missing("Integration", integration)
    allowed, blocked = (found.properties.get(f"STORAGE_{word}_LOCATIONS") or [] for word in ("ALLOWED", "BLOCKED"))
    covers = [location for location in allowed if location == "*" or _inside(url, location)]
    if not found.properties.get("ENABLED") or not covers or any(_inside(url, location) for location in blocked):
        raise errors.error(
            f"SQL compilation error:\nLocation '{url}' is not allowed by integration {integration}. Please use "
            "'DESC INTEGRATION' to check out allowed and blocked locations.", 3150, "42601")  # fmt: skip


def _inside(url: str, location: str) -> bool:
    return url.rstrip("/").startswith(location.rstrip("/") + "/") or url.rstrip("/") == location.rstrip("/")


def files(session: Session, location: Location) -> list[StoredFile]:
    """Files at a location, in order of their names."""
    if location.stage.external:
        return session.engine.store.list(location.prefix)
    root = Path(fakesnow_stage.internal_dir(".".join(location.stage.name)))
    found = sorted(path for path in root.rglob("*") if path.is_file() and str(path).startswith(location.prefix))
    return [_local_file(path) for path in found]


def _local_file(path: Path) -> StoredFile:
    content = path.read_bytes()
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return StoredFile(str(path), len(content), hashlib.md5(content).hexdigest(), changed)


def shown_name(location: Location, file: StoredFile) -> str:
    """A file's name in the replies of LIST and COPY."""
    if location.stage.external:
        return file.url
    root = fakesnow_stage.internal_dir(".".join(location.stage.name))
    return f"{location.stage.name[2].lower()}/{file.url.removeprefix(root)}"
