"""The ACLs of an environment's Kafka user, and filters that find them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from testenv.core.naming import Names


def rights(names: Names) -> Iterator[Any]:
    """The ACLs of an environment's user: everything below its prefix, nothing else."""
    from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

    for kind in (ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID):
        yield AclBinding(
            kind,
            names.topic_prefix,
            ResourcePatternType.PREFIXED,
            f"User:{names.kafka_user}",
            "*",
            AclOperation.ALL,
            AclPermissionType.ALLOW,
        )


def bindings_of(user: str | None) -> Any:
    """The filter for every ACL of a user, or of all."""
    from confluent_kafka.admin import (
        AclBindingFilter,
        AclOperation,
        AclPermissionType,
        ResourcePatternType,
        ResourceType,
    )

    principal = f"User:{user}" if user else None
    return AclBindingFilter(
        ResourceType.ANY,
        None,  # any name
        ResourcePatternType.ANY,
        principal,
        None,  # any host
        AclOperation.ANY,
        AclPermissionType.ANY,
    )


def exactly(binding: Any) -> Any:
    from confluent_kafka.admin import AclBindingFilter

    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )
