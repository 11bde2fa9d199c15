"""The verdict on a change of the small repository of `shop.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from testenv.checks.protocol import Verdict
from testenv.checks.release import Release
from testenv.checks.schema import SchemaCheck
from testenv.datasets.avro import Registry

from .shop import Past, Shop

Verdicts = Callable[..., Verdict]


@pytest.fixture
def verdict(tmp_path: Path) -> Verdicts:
    """The verdict on `head`, a `Shop` changed in place by a function, or several; `base` likewise."""
    count = iter(range(1000))

    def check(
        head: Callable[[Shop], object],
        base: Callable[[Shop], object] = lambda shop: None,
        past: dict[str, list[str]] | None = None,
        registry: Registry | None = None,
    ) -> Verdict:
        run = tmp_path / str(next(count))
        trees = []
        for name, change in (("base", base), ("head", head)):
            shop = Shop()
            if name == "head":
                base(shop)
            change(shop)
            trees.append(shop.tree(run / name, name))
        release = Release(*trees, history=Past(past or {}))
        return SchemaCheck().check(replace(release, registry=registry) if registry else release)

    return check
