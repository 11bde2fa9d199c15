"""Which of the new names is an old one under another: by what they are called, and by their types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import SequenceMatcher

ALIKE = 0.6
"""Likeness of two names, by difflib's ratio, from which on they may be one thing's."""


def renames(gone: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Old name to new name, where one of the same type is likely enough; each name is used once, the likest first.

    One of a type that is gone and one of it that is new are a pair if their names share a word.
    """
    pairs = sorted(
        (-_likeness(old, name), old, name)
        for old, type_ in gone.items()
        for name, other in new.items()
        if type_ == other
    )
    found: dict[str, str] = {}
    for likeness, old, name in pairs:
        if -likeness >= ALIKE and old not in found and name not in found.values():
            found[old] = name
    return found


def _likeness(old: str, new: str) -> float:
    words = [set(re.findall(r"[a-z]+|\d+", re.sub(r"([a-z])([A-Z])", r"\1_\2", each).lower())) for each in (old, new)]
    shared = len(words[0] & words[1]) / max(1, min(map(len, words)))
    return max(shared if shared >= 1 else 0.0, SequenceMatcher(None, old.lower(), new.lower()).ratio())
