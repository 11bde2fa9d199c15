"""Every physical name of an environment, from one id, and back.

An `EnvId` is `KIND-SLUG`. `Names` derives the name of each part within its system's charset and length; `owner_of`
inverts every one of them. Hyphens become underscores where a system has no hyphens; ids have no underscores, so the
mapping is injective.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from testenv.core.errors import InvalidName

KIND_PREFIXES = {"ci": "ci", "sandbox": "sbx", "integration": "int"}
"""Environment kind → first word of its ids."""

MAX_LENGTH = 24
GRAMMAR = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_ID = re.compile(rf"({'|'.join(KIND_PREFIXES.values())})(-[a-z0-9]+)+")
_RESERVED_ENDINGS = ("src", "airflow", "rw", "beside")
"""Last words that would make one environment's name another's: the databases of `sbx-a` end in `_src`, `_airflow`."""
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,200}")


@dataclass(frozen=True, order=True)
class EnvId:
    """An environment's id, valid by construction. Raises `InvalidName`."""

    value: str

    def __post_init__(self) -> None:
        if not isinstance(self.value, str) or len(self.value) > MAX_LENGTH or not _ID.fullmatch(self.value):
            raise InvalidName(
                f"{shown(self.value)} is not an environment id. An id is KIND-SLUG with KIND one of "
                f"{', '.join(KIND_PREFIXES.values())}, lower-case letters, digits and single hyphens, at most "
                f"{MAX_LENGTH} characters: sbx-payments-fix"
            )
        if self.value.rsplit("-", 1)[1] in _RESERVED_ENDINGS:
            raise InvalidName(
                f"{shown(self.value)} ends in a word that testenv uses itself ({', '.join(_RESERVED_ENDINGS)}). "
                "Choose another last word"
            )

    @classmethod
    def of(cls, kind: str, slug: str) -> EnvId:
        """The id of an environment of `kind` named `slug`. Raises `InvalidName`."""
        prefix = KIND_PREFIXES[kind]
        room = MAX_LENGTH - len(prefix) - 1
        if len(slug) > room or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug):
            raise InvalidName(
                f"{shown(slug)} cannot name a {kind} environment. Use lower-case letters, digits and single hyphens, "
                f"at most {room} characters: payments-fix"
            )
        return cls(f"{prefix}-{slug}")

    @property
    def kind(self) -> str:
        """`ci`, `sandbox` or `integration`."""
        prefix = self.value.split("-", 1)[0]
        return next(kind for kind, p in KIND_PREFIXES.items() if p == prefix)

    @property
    def slug(self) -> str:
        return self.value.split("-", 1)[1]

    def __str__(self) -> str:
        return self.value


TOPICS_OF_ENVIRONMENTS = "te."
"""How the name of every topic of an environment begins; production's may not."""


@dataclass(frozen=True)
class Names:
    """The physical names of one environment."""

    env_id: EnvId

    @cached_property
    def _snake(self) -> str:
        return self.env_id.value.replace("-", "_")

    # Snowflake
    @property
    def snowflake_database(self) -> str:
        return f"TE_{self._snake.upper()}"

    @property
    def snowflake_beside(self) -> str:
        """Database that a move makes beside the environment's own, to put what is kept into."""
        return f"{self.snowflake_database}_BESIDE"

    @property
    def snowflake_role(self) -> str:
        return f"{self.snowflake_database}_RW"

    @property
    def snowflake_user(self) -> str:
        return self.snowflake_database

    # Postgres
    @property
    def postgres_role(self) -> str:
        return f"te_{self._snake}"

    @property
    def postgres_source(self) -> str:
        return f"te_{self._snake}_src"

    @property
    def postgres_beside(self) -> str:
        """Database that a move makes beside `postgres_source`, and that takes its name."""
        return f"te_{self._snake}_beside"

    @property
    def postgres_airflow(self) -> str:
        return f"te_{self._snake}_airflow"

    # S3 and IAM
    @property
    def prefix(self) -> str:
        """Key prefix of all that lives and dies with the environment."""
        return f"env/{self.env_id}/"

    @property
    def artifacts(self) -> str:
        """Key prefix of what outlives it by 30 days: logs, results, reports."""
        return f"artifacts/{self.env_id}/"

    @property
    def iam_role(self) -> str:
        return f"te-{self.env_id}"

    # Kafka
    @property
    def topic_prefix(self) -> str:
        return f"{TOPICS_OF_ENVIRONMENTS}{self.env_id}."

    @property
    def kafka_user(self) -> str:
        return f"te-{self.env_id}"

    def topic(self, name: str) -> str:
        """The environment's topic for production's `name`. Raises `InvalidName`."""
        if not _TOPIC.fullmatch(name):
            raise InvalidName(f"{shown(name)} is not a topic: letters, digits, '.', '_' and '-', at most 200")
        return self.topic_prefix + name

    # SSM
    @property
    def parameters(self) -> str:
        """Path below which every secret of the environment stands."""
        return f"/testenv/{self.env_id}/"

    def parameter(self, *path: str) -> str:
        return self.parameters + "/".join(path)

    # Tags
    @property
    def tag(self) -> str:
        """Value of the tag `testenv:env`, of ECS `startedBy` and of the Spark application's name."""
        return self.env_id.value


_FORMS = (
    re.compile(r"TE_(?P<snake>[A-Z0-9_]+?)(_RW|_BESIDE)?"),
    re.compile(r"te_(?P<snake>[a-z0-9_]+?)(_src|_airflow|_beside)?"),
    re.compile(r"(env|artifacts)/(?P<id>[a-z0-9-]+)/.*", re.S),
    re.compile(r"/testenv/(?P<id>[a-z0-9-]+)/.*", re.S),
    re.compile(r"te\.(?P<id>[a-z0-9-]+)\..*", re.S),
    re.compile(r"te-(?P<id>[a-z0-9-]+)(/.*)?", re.S),  # IAM roles, Kafka users; `te-ID/RUN` of what runs
)


def owner_of(name: str) -> EnvId | None:
    """The environment that owns a physical name of any system; `None` for a name that is no environment's."""
    for form in _FORMS:
        if match := form.fullmatch(name):
            parts = match.groupdict()
            value = parts.get("id") or parts["snake"].lower().replace("_", "-")
            try:
                return EnvId(value)
            except InvalidName:
                return None
    return None


def require_owned(name: str) -> EnvId:
    """The owner of `name`, for code about to destroy it. Raises `InvalidName` for any name that is no environment's."""
    owner = owner_of(name)
    if owner is None:
        raise InvalidName(
            f"{shown(name)} belongs to no test environment, so testenv will not touch it. Only names derived from an "
            "environment's id may be changed or destroyed"
        )
    return owner


def golden_snowflake(version: str) -> str:
    """Database of a dataset version that environments are cloned from."""
    return f"TE_GOLDEN_{_dataset_snake(version).upper()}"


def golden_postgres(version: str) -> str:
    """Template database of a dataset version."""
    return f"te_golden_{_dataset_snake(version)}_src"


def golden_prefix(version: str) -> str:
    """Key prefix of a dataset version's files."""
    _dataset_snake(version)
    return f"datasets/{version}/"


def _dataset_snake(version: str) -> str:
    if len(version) > 40 or not GRAMMAR.fullmatch(version):
        raise InvalidName(f"{shown(version)} is not a dataset version, such as seed-1a2b3c4d")
    return version.replace("-", "_")


def shown(value: object) -> str:
    """A value as it may stand in a message: quoted, escaped and cut."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "…" + text[0]
