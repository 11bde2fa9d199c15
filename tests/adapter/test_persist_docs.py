import json
from pathlib import Path

from dbt.tests.adapter.persist_docs import test_persist_docs as suite
from dbt.tests.util import run_dbt, run_dbt_and_capture


class TestPersistDocs(suite.BasePersistDocs):
    """With Snowflake's names, where the suite reads lower-case ones; dbt-snowflake writes $ in comments as [$]."""

    def _assert_common_comments(self, *comments):
        for comment in comments:
            for part in (
                '"with double quotes"',
                "'''abc123'''",
                "\n",
                "Some [$]lbl[$] labeled",
                "/* comment */",
                "--\n",
            ):
                assert part in comment

    def _assert_has_table_comments(self, table_node):
        comments = [table_node["metadata"]["comment"], *(table_node["columns"][c]["comment"] for c in ("ID", "NAME"))]
        starts = ("Table model description", "id Column description", "Some stuff here and then a call to")
        assert all(comment.startswith(start) for comment, start in zip(comments, starts, strict=True))
        self._assert_common_comments(*comments)

    def _assert_has_view_comments(self, view_node, has_node_comments=True, has_column_comments=True):
        view, column = view_node["metadata"]["comment"], view_node["columns"]["ID"]["comment"]
        assert (view or "").startswith("View model description" if has_node_comments else "")
        assert bool(view) == has_node_comments
        assert (column or "").startswith("id Column description" if has_column_comments else "")
        assert bool(column) == has_column_comments
        assert not view_node["columns"]["NAME"]["comment"]
        self._assert_common_comments(*(comment for comment in (view, column) if comment))


class TestPersistDocsColumnMissing(suite.BasePersistDocsColumnMissing):
    def test_missing_column(self, project):
        run_dbt(["docs", "generate"])
        node = json.loads(Path("target/catalog.json").read_text())["nodes"]["model.test.missing_column"]
        assert node["columns"]["ID"]["comment"].startswith("test id column description")

    def test_missing_column_warning(self, project):
        _, logs = run_dbt_and_capture(["run"])
        assert "are not present in the database: column_that_does_not_exist" in logs


class TestPersistDocsAllColumnsMissing(suite.BasePersistDocsAllColumnsMissing):
    pass


class TestPersistDocsQuotedColumnCaseSensitive(suite.BasePersistDocsQuotedColumnCaseSensitive):
    pass


class TestPersistDocsQuotedDescriptionNotAppliedOnMismatch(suite.BasePersistDocsQuotedDescriptionNotAppliedOnMismatch):
    pass


class TestPersistDocsCommentOnQuotedColumn(suite.BasePersistDocsCommentOnQuotedColumn):
    pass
