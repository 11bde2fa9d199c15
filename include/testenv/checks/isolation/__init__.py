"""Isolation: code names nothing but what its environment gives it, and no run reached beyond it."""

from testenv.checks.isolation.check import IsolationCheck

__all__ = ["IsolationCheck"]
