"""A factory's code is followed for each entry of the catalogue, where that can be told; else every branch is."""

from __future__ import annotations

import pytest

from testenv.checks.impact import Layout, select
from testenv.checks.impact.trees import tree_of

LAYOUT = Layout.model_validate(
    {
        "catalogue": {"file": "c.yaml", "factory": "dags/made.py", "entry": "lib.factory.Entry"},
        "dags": ["dags"],
    }
)
CATALOGUE = "pipelines:\n  a: {kind: x, names: [s.one], inputs: []}\n  b: {kind: y, names: [s.two], inputs: []}\n"
CLASS = """
from dataclasses import dataclass
@dataclass
class Entry:
    id: str
    kind: str
    names: tuple
    slow: bool = False
    @property
    def first(self):
        return [each.split('.', 1)[1] for each in self.names][0]
"""


def affected(define: str, sql: str, entry: str = CLASS) -> set[str]:
    files = {
        "c.yaml": CATALOGUE,
        "dags/made.py": "from airflow import DAG\nfrom lib.factory import all_dags\nglobals().update(all_dags())",
        "lib/factory.py": f"{entry}\ndef all_dags():\n    return [define(each) for each in catalogue()]\n{define}",
        "sql/x.sql": "1",
        "sql/y.sql": "1",
    }
    return {*select(tree_of(files), tree_of({**files, sql: "2"}), LAYOUT).names}


@pytest.mark.parametrize(
    "body",
    [
        "match entry.kind:\n        case 'x': run('x.sql')\n        case 'y' | 'z': run('y.sql')",
        "match entry.kind:\n        case 'x' if not entry.slow: run('x.sql')\n        case _: run('y.sql')",
        "if entry.kind == 'x': run('x.sql')\n    elif entry.kind in ('y', 'z'): run('y.sql')",
        "first = entry.first\n    if first == 'one': run('x.sql')\n    else: run('y.sql')",
        "run('x.sql' if entry.first.startswith('on') and not entry.slow else 'y.sql')",
    ],
)
def test_a_branch_on_the_entrys_own_fields_is_followed(body: str) -> None:
    define = f"def define(entry: Entry):\n    {body}\n"
    assert affected(define, "sql/x.sql") == {"a"}
    assert affected(define, "sql/y.sql") == {"b"}


@pytest.mark.parametrize(
    "define",
    [
        "def define(entry: Entry):\n    if entry.kind == setting(): run('x.sql')",
        "def define(entry):\n    if entry.kind == 'x': run('x.sql')",
        "def define(entry: Entry):\n    entry = other(entry)\n    if entry.kind == 'x': run('x.sql')",
        "def define(entry: Entry):\n    k = entry.kind\n    k = more(k)\n    if k == 'x': run('x.sql')",
        "def define(entry: Entry):\n    for k in entry.names:\n        if k == 's.one': run('x.sql')",
        "def define(entry: Entry, k='y'):\n    if late():\n        k = entry.kind\n    if k == 'x': run('x.sql')",
        "def define(entry: Entry):\n    if (lambda entry: entry.kind == 'x')(other): run('x.sql')",
        "def define(entry: Entry):\n    {'x': lambda: run('x.sql')}[entry.kind]()",
        "def define(entry: Entry):\n    match entry.kind:\n        case str(): pass\n        case _: run('x.sql')",
    ],
)
def test_a_branch_that_cannot_be_told_is_taken_for_all(define: str) -> None:
    assert affected(define, "sql/x.sql") == {"a", "b"}


@pytest.mark.parametrize(
    "entry",
    [
        CLASS + "    def __post_init__(self): self.kind = 'x'\n",
        CLASS + "    def __getattribute__(self, name): return 'x'\n",
        CLASS.replace("class Entry:", "class Entry(Base):"),
        CLASS.replace("    kind: str\n", "    @property\n    def kind(self): return read('x')\n"),
    ],
)
def test_a_class_that_makes_its_own_attributes_is_not_followed(entry: str) -> None:
    define = "def define(entry: Entry):\n    if entry.kind == 'x': run('x.sql')"
    assert affected(define, "sql/x.sql", entry) == {"a", "b"}
