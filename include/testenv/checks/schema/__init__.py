"""Whether a release's schemas still fit those of its base."""

from testenv.checks.schema.check import SchemaCheck

__all__ = ["SchemaCheck"]
