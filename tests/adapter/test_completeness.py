"""No suite of the package is left out without a reason."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import dbt.tests.adapter

from conftest import REASONS

HERE = Path(__file__).parent
PACKAGE = "dbt.tests.adapter."


def _classes(module):
    return [cls for _, cls in inspect.getmembers(module, inspect.isclass)]


def _suites():
    """Classes of the package that hold tests and are not themselves an application to Postgres."""
    for folder in dbt.tests.adapter.__path__:
        for path in sorted(Path(folder).rglob("*.py")):
            name = ".".join(path.relative_to(folder).with_suffix("").parts)
            if not name.endswith("__init__"):
                module = importlib.import_module(PACKAGE + name)
                for cls in _classes(module):
                    tests = any(key.startswith("test") for key in dir(cls))
                    if cls.__module__ == module.__name__ and tests and not cls.__name__.startswith("Test"):
                        yield cls, f"{name}.{cls.__name__}"


def test_every_suite_is_run_or_has_a_reason():
    ours = [
        cls
        for module in pkgutil.iter_modules([str(HERE)])
        if module.name.startswith("test_") and module.name != Path(__file__).stem
        for cls in _classes(importlib.import_module(module.name))
    ]
    run = {base for cls in ours if not cls.__module__.startswith("dbt.") for base in cls.__mro__}
    missing = {name for cls, name in _suites() if cls not in run}
    assert missing == set(REASONS["not_applicable"])
