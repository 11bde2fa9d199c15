"""The kinds of things that are kept: how each is read from moto's books, and put back."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from bisect import insort
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ecs.models import ecs_backends
from moto.emrserverless.models import emrserverless_backends
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.s3.utils import _VersionedKeyStore
from moto.sns.models import sns_backends
from moto.ssm.models import ssm_backends
from moto.sts.models import sts_backends

from local.aws import sessions


class Kind(ABC):
    """One kind of thing: its name in the file, and its place in moto's books."""

    label: ClassVar[str]

    def __init__(self, region: str) -> None:
        self.region = region

    @abstractmethod
    def read(self, name: str) -> Any:
        """What there is of NAME now, to be pickled; None if it is gone."""

    @abstractmethod
    def put_back(self, name: str, held: Any) -> None:
        """Enter into the books what `read` gave."""

    def is_over(self, name: str, held: Any) -> bool:
        """True if HELD is of no use any more, and to be forgotten."""
        return False


class Bucket(Kind):
    """By its name. Without its objects and uploads, which are things of their own."""

    label = "bucket"

    def read(self, name: str) -> Any:
        bucket = _s3().buckets.get(name)
        if bucket is None:
            return None
        bare = copy.copy(bucket)
        bare.keys, bare.multiparts = _VersionedKeyStore(), type(bucket.multiparts)()
        return bare, dict(_s3().tagger.get_tag_dict_for_resource(bucket.arn))

    def put_back(self, name: str, held: Any) -> None:
        bucket, tags = held
        _s3().buckets[name] = bucket
        s3_backends.bucket_accounts[name] = (bucket.partition, bucket.account_id)
        _tag(bucket.arn, tags)


class S3Object(Kind):
    """By BUCKET/KEY: all its versions."""

    label = "object"

    def read(self, name: str) -> Any:
        bucket, _, key = name.partition("/")
        held = _s3().buckets.get(bucket)
        versions = list(held.keys.getlist(key, [])) if held else []
        if not versions:
            return None
        return versions, [_s3().tagger.get_tag_dict_for_resource(v.arn) if hasattr(v, "arn") else {} for v in versions]

    def put_back(self, name: str, held: Any) -> None:
        bucket, _, key = name.partition("/")
        versions, tags = held
        _s3().buckets[bucket].keys.setlist(key, versions)
        for version, of_version in zip(versions, tags, strict=True):
            if of_version:
                _tag(version.arn, of_version)


class Uploads(Kind):
    """By BUCKET/KEY: the open multipart uploads of the key, without their parts."""

    label = "uploads"

    def read(self, name: str) -> Any:
        bucket, _, key = name.partition("/")
        held = _s3().buckets.get(bucket)
        uploads = [upload for upload in list(held.multiparts.values()) if upload.key_name == key] if held else []
        return [_bare(upload) for upload in uploads] or None

    def put_back(self, name: str, held: Any) -> None:
        bucket = _s3().buckets[name.partition("/")[0]]
        for upload in held:
            bucket.multiparts[upload.id] = upload


def _bare(upload: Any) -> Any:
    bare = copy.copy(upload)
    bare.parts, bare.partlist = {}, []
    return bare


class Part(Kind):
    """By BUCKET/UPLOAD/NUMBER."""

    label = "part"

    def read(self, name: str) -> Any:
        upload, number = self._upload(name)
        return upload.parts.get(number) if upload else None

    def put_back(self, name: str, held: Any) -> None:
        upload, number = self._upload(name)
        upload.parts[number] = held
        insort(upload.partlist, number)

    def is_over(self, name: str, held: Any) -> bool:
        return self._upload(name)[0] is None

    @staticmethod
    def _upload(name: str) -> tuple[Any, int]:
        bucket, upload, number = name.split("/")
        held = _s3().buckets.get(bucket)
        return (held.multiparts.get(upload) if held else None), int(number)


class Parameter(Kind):
    """By its name: all its versions, and its tags."""

    label = "parameter"

    def read(self, name: str) -> Any:
        ssm = ssm_backends[DEFAULT_ACCOUNT_ID][self.region]
        versions = dict.get(ssm._parameters, name)
        return (list(versions), dict(ssm._resource_tags["Parameter"].get(name, {}))) if versions else None

    def put_back(self, name: str, held: Any) -> None:
        ssm = ssm_backends[DEFAULT_ACCOUNT_ID][self.region]
        versions, tags = held
        dict.__setitem__(ssm._parameters, name, versions)
        if tags:
            ssm._resource_tags["Parameter"][name] = tags


class Role(Kind):
    """By its name, with its policies."""

    label = "role"

    def read(self, name: str) -> Any:
        return _iam().roles.get(next((key for key, role in list(_iam().roles.items()) if role.name == name), ""))

    def put_back(self, name: str, held: Any) -> None:
        _iam().roles[held.id] = held


class User(Kind):
    """By its name, with its policies and access keys."""

    label = "user"

    def read(self, name: str) -> Any:
        return _iam().users.get(name)

    def put_back(self, name: str, held: Any) -> None:
        _iam().users[name] = held
        for key in held.access_keys:
            _iam().access_keys[key.access_key_id] = key


class Session(Kind):
    """A session of a role, by its access key."""

    label = "session"

    def read(self, name: str) -> Any:
        return sts_backends[DEFAULT_ACCOUNT_ID]["aws"].get_assumed_role_from_access_key(name)

    def put_back(self, name: str, held: Any) -> None:
        books: Any = sts_backends[DEFAULT_ACCOUNT_ID]["aws"]
        books.sessions[name] = held
        _iam().access_keys[name] = held.access_key

    def is_over(self, name: str, held: Any) -> bool:
        return sessions.is_over(held)


class Topic(Kind):
    """By its ARN, with its subscriptions. What was published is not kept."""

    label = "topic"

    def read(self, name: str) -> Any:
        sns = sns_backends[DEFAULT_ACCOUNT_ID][self.region]
        topic = sns.topics.get(name)
        if topic is None:
            return None
        bare = copy.copy(topic)
        bare.sent_notifications = []
        return bare, [each for each in list(sns.subscriptions.values()) if each.topic_arn == name]

    def put_back(self, name: str, held: Any) -> None:
        sns = sns_backends[DEFAULT_ACCOUNT_ID][self.region]
        topic, subscriptions = held
        sns.topics[name] = topic
        for subscription in subscriptions:
            subscription.topic = topic
            sns.subscriptions[subscription.arn] = subscription


class Cluster(Kind):
    """By its name."""

    label = "cluster"

    def read(self, name: str) -> Any:
        return ecs_backends[DEFAULT_ACCOUNT_ID][self.region].clusters.get(name)

    def put_back(self, name: str, held: Any) -> None:
        ecs_backends[DEFAULT_ACCOUNT_ID][self.region].clusters[name] = held


class TaskDefinition(Kind):
    """By its family: all revisions."""

    label = "task-definition"

    def read(self, name: str) -> Any:
        return ecs_backends[DEFAULT_ACCOUNT_ID][self.region].task_definitions.get(name)

    def put_back(self, name: str, held: Any) -> None:
        ecs_backends[DEFAULT_ACCOUNT_ID][self.region].task_definitions[name] = held


class Task(Kind):
    """By its id."""

    label = "task"

    def read(self, name: str) -> Any:
        clusters = ecs_backends[DEFAULT_ACCOUNT_ID][self.region].tasks
        return next(
            (task for tasks in list(clusters.values()) for task in list(tasks.values()) if task.id == name), None
        )

    def put_back(self, name: str, held: Any) -> None:
        tasks = ecs_backends[DEFAULT_ACCOUNT_ID][self.region].tasks
        tasks.setdefault(held.cluster_name, {})[held.task_arn] = held

    def is_over(self, name: str, held: Any) -> bool:
        """ECS shows a stopped task for an hour; here it is shown for a day."""
        return held.last_status == "STOPPED" and _age(held.stopped_at or held.created_at) > timedelta(days=1)


class Application(Kind):
    """Of EMR Serverless, by its id."""

    label = "application"

    def read(self, name: str) -> Any:
        return emrserverless_backends[DEFAULT_ACCOUNT_ID][self.region].applications.get(name)

    def put_back(self, name: str, held: Any) -> None:
        emrserverless_backends[DEFAULT_ACCOUNT_ID][self.region].applications[name] = held


class JobRun(Kind):
    """Of EMR Serverless, by APPLICATION/ID."""

    label = "job-run"

    def read(self, name: str) -> Any:
        application, _, run = name.partition("/")
        runs = emrserverless_backends[DEFAULT_ACCOUNT_ID][self.region].job_runs.get(application, [])
        return next((each for each in reversed(list(runs)) if each.id == run), None)

    def put_back(self, name: str, held: Any) -> None:
        application = name.partition("/")[0]
        emrserverless_backends[DEFAULT_ACCOUNT_ID][self.region].job_runs.setdefault(application, []).append(held)

    def is_over(self, name: str, held: Any) -> bool:
        return held.state in ("SUCCESS", "FAILED", "CANCELLED") and _age(held.updated_at) > timedelta(days=30)


def _s3() -> Any:
    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


def _iam() -> Any:
    return iam_backends[DEFAULT_ACCOUNT_ID]["aws"]


def _age(moment: datetime) -> timedelta:
    """Since MOMENT; moto's times are of UTC and do not say so."""
    return datetime.now(UTC) - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _tag(arn: str, tags: dict[str, str]) -> None:
    if tags:
        _s3().tagger.tag_resource(arn, [{"Key": key, "Value": value} for key, value in tags.items()])


# In the order they are put back: what others lie in comes first.
KINDS: tuple[type[Kind], ...] = (
    Bucket,
    S3Object,
    Uploads,
    Part,
    Parameter,
    User,
    Role,
    Session,
    Topic,
    Cluster,
    TaskDefinition,
    Task,
    Application,
    JobRun,
)
