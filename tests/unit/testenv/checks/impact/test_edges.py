"""Every way in which a pipeline depends on a file, each in a repository made up of a few lines."""

from __future__ import annotations

import pytest

from testenv.checks.impact import Layout, Selection, read_layout, select
from testenv.checks.impact.trees import tree_of
from testenv.core.errors import InvalidCatalog

DAG = "from airflow import DAG\n{code}\nDAG('{id}')\n"
OTHER = {"dags/other.py": DAG.format(code="import unrelated", id="other"), "lib/unrelated.py": "x = 1"}
LISTED = "pipelines:\n  one: {inputs: [], outputs: []}\n  other: {inputs: [], outputs: []}\n"
LAYOUT = Layout.model_validate({"catalogue": {"file": "catalogue.yaml"}, "contracts": ["contracts"]})


def change(files: dict[str, str], changes: dict[str, str | None], layout: Layout = LAYOUT) -> Selection:
    base = {"catalogue.yaml": LISTED, **OTHER, **files}
    head = {path: text for path, text in ({**base, **changes}).items() if text is not None}
    return select(tree_of(base), tree_of(head), layout)


def one(code: str) -> dict[str, str]:
    return {"dags/one.py": DAG.format(code=code, id="one")}


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("import changed", {"lib/changed.py": ""}),
        ("import pkg.changed", {"lib/pkg/__init__.py": "", "lib/pkg/changed.py": ""}),
        ("from pkg import changed", {"lib/pkg/__init__.py": "", "lib/pkg/changed.py": ""}),
        ("from pkg.sub import thing", {"lib/pkg/__init__.py": "", "lib/pkg/changed.py": "",
                                       "lib/pkg/sub.py": "from . import changed\nthing = 1"}),
        ("from pkg.sub import thing", {"lib/pkg/__init__.py": "", "lib/changed.py": "",
                                       "lib/pkg/sub.py": "from ..changed import thing"}),
        ("from pkg.sub import thing", {"lib/pkg/changed.py": "", "lib/pkg/sub.py": "from pkg.changed import *"}),
        ("import middle", {"lib/middle.py": "import changed", "lib/changed.py": ""}),
        ("def late():\n    import changed\nlate()", {"lib/changed.py": ""}),
        ("from middle import late\nlate()", {"lib/middle.py": "def late():\n    import changed", "lib/changed.py": ""}),
        ("from front import late\nlate()", {"lib/front.py": "from middle import late",
                                            "lib/middle.py": "def late():\n    import changed", "lib/changed.py": ""}),
        ("import middle as m\nm.late()", {"lib/middle.py": "def late():\n    import changed", "lib/changed.py": ""}),
        ("import middle as m\ngetattr(m, 'la' + 'te')()",
         {"lib/middle.py": "def late():\n    import changed", "lib/changed.py": ""}),
        ("import pkg.sub\npkg.late()", {"lib/pkg/__init__.py": "def late():\n    import changed", "lib/pkg/sub.py": "",
                                        "lib/changed.py": ""}),
        ("import pkg, middle\npkg.sub.late()", {"lib/pkg/__init__.py": "", "lib/middle.py": "import pkg.sub as s",
                                                "lib/pkg/sub.py": "def late():\n    import changed",
                                                "lib/changed.py": ""}),
        ("import pkg as p\nimport pkg.sub as s\np.sub.late()", {"lib/pkg/__init__.py": "", "lib/changed.py": "",
                                                                "lib/pkg/sub.py": "def late():\n    import changed"}),
        ("import middle\nmiddle.CALLS['late']()",
         {"lib/middle.py": "def late():\n    import changed\nCALLS = {'late': late}", "lib/changed.py": ""}),
        ("from middle import REGISTER\nREGISTER[0]()",
         {"lib/middle.py": "REGISTER = []\n@REGISTER.append\ndef late():\n    import changed", "lib/changed.py": ""}),
        ("from middle import Base\nBase.__subclasses__()[0]().run()",
         {"lib/middle.py": "class Base: ...\nclass Kind(Base):\n    def run(self):\n        import changed",
          "lib/changed.py": ""}),
        ("import importlib\nimportlib.import_module('pkg.changed')", {"lib/pkg/changed.py": ""}),
        ("import importlib, sys\nimportlib.import_module(sys.argv[1])", {"lib/changed.py": ""}),
        ("import sys\nexec(sys.argv[1])", {"lib/changed.py": ""}),
        ("CALL = 'pkg.changed.run'", {"lib/pkg/changed.py": ""}),
        ("Task(bash='python -m jobs --fast')", {"lib/jobs/__init__.py": "", "lib/jobs/__main__.py": "import changed",
                                                "lib/changed.py": ""}),
        ("Task(command=['python', '-m', 'jobs'])", {"lib/jobs/__main__.py": "", "lib/jobs/changed.py": "",
                                                    "lib/jobs/__init__.py": "import jobs.changed"}),
        ("Task('config.yaml')", {"config.yaml": "call: pkg.changed.run", "lib/pkg/changed.py": ""}),
        ("not python ! ", {"lib/changed.py": ""}),
    ],
)  # fmt: skip
def test_a_module_affects_who_imports_it_however(code: str, files: dict[str, str]) -> None:
    path = next(path for path in files if path.endswith("changed.py"))
    selection = change({**one(code), **files}, {path: "y = 2"})
    assert "one" in selection.names
    assert selection.selected[0].chain[0] == path


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("Task(sql='changed.sql')", "sql/changed.sql"),
        ("Task(sql='sql/changed.sql')", "sql/changed.sql"),
        ("Task(job='s3://bucket/code/changed.sql')", "jobs/changed.sql"),
        ("Task(bash='run --file=x/changed.sql --fast')", "sql/changed.sql"),
        ("Task(f'{kind}_changed.sql')", "sql/un_changed.sql"),
        ("Task(kind + '.sql')", "sql/changed.sql"),
        ("Task('{}_changed.sql'.format(kind))", "sql/un_changed.sql"),
        ("Task('%s_changed.sql' % kind)", "sql/un_changed.sql"),
        ("from pathlib import Path\n(Path(__file__).parents[1] / 'sql' / 'changed').read_text()", "sql/changed"),
        ("from pathlib import Path\n[*(Path(__file__).parent.parent / 'sql').glob('*')]", "sql/deep/changed.sql"),
        ("import os\nHERE = os.path.dirname(__file__)\nos.listdir(os.path.join(HERE, '..', 'sql'))", "sql/changed.sql"),
        ("from consts import SQL\nSQL.iterdir()", "sql/changed.sql"),
        ("import consts\nconsts.SQL.iterdir()", "sql/changed.sql"),
        ("Task(template_searchpath='/opt/airflow/sql')", "sql/changed.sql"),
        ("open('/opt/airflow/sql/' + name)", "sql/changed.sql"),
        ("Task(sql='front.sql')", "sql/changed.sql"),
    ],
)  # fmt: skip
def test_a_file_affects_who_names_it_or_its_folder(code: str, path: str) -> None:
    files = {
        **one(code),
        "lib/consts.py": "from pathlib import Path\nROOT = Path(__file__).parents[1]\nSQL = ROOT / 'sql'\n",
        "sql/front.sql": "{% include 'changed.sql' %}",
        path: "select 1",
    }
    assert change(files, {path: "select 2"}).names == {"one"}


def test_a_spark_job_brings_what_it_imports() -> None:
    files = {**one("Task(job='job.py')"), "spark/job.py": "from helper import x", "spark/helper.py": "x = 1"}
    assert change(files, {"spark/helper.py": "x = 2"}).selected[0].chain == (
        "spark/helper.py", "spark/job.py", "dags/one.py", "one",
    )  # fmt: skip


def test_a_function_that_is_not_called_brings_nothing() -> None:
    library = "def a():\n    return 'a.sql'\ndef b():\n    return 'b.sql'\n"
    files = {**one("from both import a\na()"), "lib/both.py": library, "sql/a.sql": "1", "sql/b.sql": "1"}
    files["dags/other.py"] = DAG.format(code="from both import b\nb()", id="other")
    assert change(files, {"sql/a.sql": "2"}).names == {"one"}
    assert change(files, {"sql/b.sql": "2"}).names == {"other"}
    assert change(files, {"lib/both.py": library + "c = 1"}).names == {"one", "other"}


@pytest.mark.parametrize(
    "path", ["requirements.txt", "Dockerfile", "sql/unnamed.sql", "data.bin", "plugins/listener.py", "sitecustomize.py"]
)
def test_what_nobody_names_may_affect_all(path: str) -> None:
    assert change(one(""), {path: "new = 1"}).names == {"one", "other"}


@pytest.mark.parametrize("path", ["lib/unused.py", "docs/page.md", "LICENSE"])
def test_python_that_nobody_imports_and_prose_affect_nobody(path: str) -> None:
    selection = change(one(""), {path: "new = 1"})
    assert not selection.names and selection.harmless[0][0] == path


def test_what_the_layout_sets_apart_affects_nobody_and_its_statement_is_the_reason() -> None:
    layout = LAYOUT.model_copy(update={"apart": ("tools",)})
    selection = change(one("Task('tool.sh')"), {"tools/tool.sh": "x"}, layout)
    assert selection.harmless == (("tools/tool.sh", "testenv.yaml says that no pipeline depends on it"),)


def test_another_layout_affects_all() -> None:
    selection = change(one(""), {"testenv.yaml": "dags: [dags]"})
    assert selection.names == {"one", "other"}


def test_a_link_affects_by_what_it_leads_to(tmp_path: object) -> None:
    from testenv.checks.impact.trees import Entry, Tree

    def tree(content: str) -> Tree:
        texts = {**OTHER, **one("Task('link.sql')"), "catalogue.yaml": LISTED, "sql/real.txt": content}
        made = tree_of(texts)
        entries = {path: Entry(made.digest(path)) for path in made} | {"sql/link.sql": Entry("link", link=True)}
        return Tree(entries, lambda path: b"real.txt" if path == "sql/link.sql" else made.read(path))

    assert select(tree("1"), tree("2"), LAYOUT).names == {"one"}


# ---------------------------------------------------------------- data

LINEAGE = """
pipelines:
  one: {inputs: [pg.a], outputs: [wh.raw.A]}
  other: {inputs: [wh.raw.A], outputs: [wh.raw.B]}
  last: {inputs: [wh.raw.B], outputs: []}
  apart: {inputs: [pg.z], outputs: []}
"""
FLOW = {
    "catalogue.yaml": LINEAGE,
    **one(""),
    "dags/last.py": DAG.format(code="", id="last"),
    "dags/apart.py": DAG.format(code="", id="apart"),
}


def test_a_pipeline_affects_those_that_read_what_it_writes() -> None:
    selection = change(FLOW, {"dags/one.py": DAG.format(code="x = 1", id="one")})
    assert selection.names == {"one", "other", "last"}
    assert selection.why("last") == "last is affected: dags/one.py → one → wh.raw.A → other → wh.raw.B → last"


@pytest.mark.parametrize(
    ("dataset", "names"),
    [
        ("wh.raw.A", {"one", "other", "last"}),
        ("wh.raw.B", {"other", "last"}),
        ("pg.z", {"apart"}),
        ("pg.unread", set()),
    ],
)
def test_a_contract_affects_who_reads_or_writes_the_dataset(dataset: str, names: set[str]) -> None:
    path = "contracts/some.yaml"
    files = {**FLOW, path: f"id: {dataset}\nversion: 1.0.0\n"}
    assert change(files, {path: f"id: {dataset}\nversion: 2.0.0\n"}).names == names


def test_a_schema_file_affects_who_reads_or_writes_its_dataset() -> None:
    layout = Layout.model_validate(
        {
            "catalogue": {"file": "catalogue.yaml"},
            "schemas": [{"files": "avro/*-{name}-v*.avsc", "dataset": "pg.{name}"}],
        }
    )
    files = {**FLOW, "avro/1-z-v1.avsc": "{}"}
    assert change(files, {"avro/1-z-v1.avsc": '{"type": "long"}'}, layout).names == {"apart"}
    assert not change(files, {"avro/1-z-v1.avsc": "{ }"}, layout).names
    assert change(files, {"avro/1-z-v2.avsc": "{}"}, layout).names == {"apart"}


def test_an_entry_affects_its_pipeline_and_anything_else_in_the_catalogue_all() -> None:
    moved = LINEAGE.replace("  apart: {inputs: [pg.z]", "  apart: {inputs: [pg.y]")
    assert change(FLOW, {"catalogue.yaml": moved}).names == {"apart"}
    assert change(FLOW, {"catalogue.yaml": LINEAGE + "defaults: {retries: 2}\n"}).names == {
        "one",
        "other",
        "last",
        "apart",
    }
    assert not change(FLOW, {"catalogue.yaml": "# ours\n" + LINEAGE}).names


def test_a_pipeline_that_the_catalogue_does_not_list_may_read_and_write_anything() -> None:
    files = {**FLOW, "dags/wild.py": DAG.format(code="", id="wild")}
    selection = change(files, {"dags/one.py": DAG.format(code="x = 1", id="one")})
    assert selection.names == {"one", "other", "last", "apart", "wild"}
    assert "the catalogue does not list it" in selection.why("wild")
    assert change(files, {"dags/wild.py": DAG.format(code="x = 1", id="wild")}).names == {
        "wild", "one", "other", "last", "apart",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "ids"),
    [
        ("from airflow.decorators import dag\n@dag()\ndef by_name(): ...\nby_name()", {"by_name"}),
        ("from airflow.decorators import dag\n@dag(dag_id='stated')\ndef by_name(): ...", {"stated"}),
        ("from airflow import DAG\nwith DAG(dag_id='a') as x: ...\nDAG('b')", {"a", "b"}),
        ("from airflow import DAG\nfor n in range(3): DAG(f'made_{n}')", {"file"}),
        ("import airflow_dag_maker\nairflow_dag_maker.make()", {"file"}),
        ("x = 1", set()),
    ],
)
def test_the_ids_of_a_files_dags_are_read_from_it(code: str, ids: set[str]) -> None:
    selection = select(tree_of({"dags/file.py": code}), tree_of({"dags/file.py": code + "\ny = 1"}))
    assert selection.names == ids


def test_an_entry_whose_dag_is_made_up_in_some_file_depends_on_those_files() -> None:
    files = {"catalogue.yaml": LISTED, "dags/made.py": "from airflow import DAG as D\nD('o' + 'ne')"}
    assert {"one", "made"} <= change(files, {"dags/made.py": files["dags/made.py"] + "\nx = 1"}).names


def test_the_pipeline_that_builds_a_dbt_project_is_the_one_that_names_its_folder() -> None:
    files = {**one("Task(bash='cd dbt/bank && dbt build')"), "dbt/bank/dbt_project.yml": "name: bank"}
    layout = LAYOUT.model_copy(update={"dbt": read_layout(tree_of(files)).dbt})
    changes: dict[str, str | None] = {"dbt/bank/models/m.sql": "select 1"}
    assert change(files, changes, layout).names == {"one"}
    unknown = change({**files, **one("")}, changes, layout)
    assert unknown.names == {"one", "other"} and "no pipeline is known to build dbt/bank" in unknown.why("one")


def test_without_a_statement_the_defaults_of_an_airflow_repository_hold() -> None:
    files = {**one("Task(project='/usr/local/airflow/dbt/bank')"), "dbt/bank/dbt_project.yml": "name: bank"}
    assert read_layout(tree_of(files)).dbt[0].project == "dbt/bank"
    assert change(files, {"dbt/bank/models/m.sql": "select 1"}, read_layout(tree_of(files))).names == {"one", "other"}


@pytest.mark.parametrize(
    ("text", "words"),
    [("dags: 3", "dags"), ("dag: [x]", "dag: Extra inputs"), ("a: [", "cannot be read as YAML")],
)
def test_a_layout_that_is_wrong_is_told(text: str, words: str) -> None:
    with pytest.raises(InvalidCatalog, match=words):
        read_layout(tree_of({"testenv.yaml": text}))


@pytest.mark.parametrize("text", ["pipelines: 3", "pipelines: {one: [1]}", "other: {}", "a: ["])
def test_a_catalogue_that_is_wrong_is_told(text: str) -> None:
    with pytest.raises(InvalidCatalog, match="catalogue.yaml"):
        change(one(""), {"catalogue.yaml": text})
