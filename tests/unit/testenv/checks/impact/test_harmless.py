"""What is proved to change no run, and what only looks like it."""

from __future__ import annotations

import pytest

from testenv.checks.impact.harmless import prose, same, same_yaml


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("a.py", "x = 1  # one", "x = (1)\n"),
        ("a.py", '"""One."""\nx = 1', "x = 1"),
        ("a.py", 'def f():\n    """One."""', 'def f():\n    """Two."""'),
        ("a.py", '"""One."""\nDAG(doc_md=__doc__)', '"""Two."""\nDAG(doc_md=__doc__)'),
        ("a.sql", "select 1 -- one\n", "select 1\n"),
        ("a.sql", "select\n  1 /* one */", "select 1 /* two */\n"),
        ("a.sql", "{# one #}select {{ x }}", "{# two\n #}select {{ x }}"),
        ("a.sql", "{#- one -#}\nselect 1", "{#- two\n -#}  select 1"),
        ("a.json", '{"a": [1, 2]}', '{ "a": [1,2] }'),
    ],
)
def test_this_is_harmless(path: str, before: str, after: str) -> None:
    assert same(path, before.encode(), after.encode())


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("a.py", "x = 1", "x = 1.0"),
        ("a.py", "x = 'a'", "x = b'a'"),
        ("a.py", "x = 1", "x = ("),
        ("a.py", '"""One."""\nprint(__doc__)', '"""Two."""\nprint(__doc__)'),
        ("a.py", '"""One."""\nimport inspect\ninspect.getdoc(f)', '"""Two."""\nimport inspect\ninspect.getdoc(f)'),
        ("a.sql", "select 'a  b'", "select 'a b'"),
        ("a.sql", "select '-- a'", "select '-- b'"),
        ("a.sql", "select '{{ f(' ') }}'", "select '{{ f('  ') }}'"),
        ("a.sql", 'select "a  b"', 'select "a b"'),
        ("a.sql", "select 'it''s  a'", "select 'it''s a'"),
        ("a.sql", r"select 'it\'s  a'", r"select 'it\'s a'"),
        ("a.sql", "select 1 -- {{ ref('a') }}", "select 1 -- {{ ref('b') }}"),
        ("a.sql", "select /*+ hint */ 1", "select 1"),
        ("a.sql", "select 5--3", "select 5--4"),
        ("a.sql", "select $$a  b$$", "select $$a b$$"),
        ("a.sql", "select a b", "select ab"),
        ("a.sql", "a{# x #}b", "a {# x #}b"),
        ("a.sql", "a {#- x #}b", "a {# x #}b"),
        ("a.sql", "{% macro m() %}a  b{% endmacro %}", "{% macro m() %}a b{% endmacro %}"),
        ("a.sql", "select 'a", "select  'a"),
        ("a.json", '{"a": 1, "b": 2}', '{"b": 2, "a": 1}'),
        ("a.json", '{"a": 1}', '[["a", 1]]'),
        ("a.yaml", "a: 1", "a:  1"),
        ("a.sh", "x # one", "x # two"),
    ],
)
def test_this_is_not_proved(path: str, before: str, after: str) -> None:
    assert not same(path, before.encode(), after.encode())


def test_yaml_is_the_same_by_what_it_holds_in_its_order() -> None:
    assert same_yaml(b"a: 1 # one\nb: [x]", b"a: 1\nb:\n  - x\n")
    assert not same_yaml(b"a: 1\nb: 2", b"b: 2\na: 1")
    assert not same_yaml(b"a: 1", b"a: '1'")
    assert not same_yaml(b"a: [", b"a: [ ")


def test_prose_is_known_by_its_name() -> None:
    assert prose("docs/a.md") and prose("LICENSE") and prose("a/.gitignore")
    assert not prose("requirements.txt") and not prose("a.py")
