"""The one error of the embedded stack."""

from __future__ import annotations


class StackError(Exception):
    """The stack cannot do what was asked; the message says what was wrong, what was got and what to do next."""
