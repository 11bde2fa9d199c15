"""The way of one statement: split off what fakesnow cannot parse, check privileges, transform, run, record."""

import time
import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import duckdb
import sqlglot
from fakesnow import info_schema
from fakesnow.cursor import FakeSnowflakeCursor
from snowflake.connector.errors import Error
from sqlglot import Expr, exp

from local.snowflake import (
    alter,
    changes,
    clone,
    copy_into,
    errors,
    functions,
    information_schema,
    inserts,
    lengths,
    merge,
    privileges,
    refusals,
    temporary,
    visibility,
)
from local.snowflake.history import Query
from local.snowflake.names import literal, quote
from local.snowflake.pipeline import Pipeline
from local.snowflake.session import Session

SUCCESS = "SELECT 'Statement executed successfully.' AS status"
_ATTEMPTS = 8
_DDL = (exp.Create, exp.Drop, exp.Alter, exp.Comment, exp.TruncateTable)
_KEYS = (
    exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint, exp.Reference, exp.CollateColumnConstraint,
)  # fmt: skip


def status(message: str) -> str:
    """The reply of a statement that has one line to say."""
    return f"SELECT {literal(message)} AS status"


class Cursor(FakeSnowflakeCursor):
    """Runs the statements of a session, one at a time."""

    session: Session

    def __init__(self, conn: Session, duck_conn: duckdb.DuckDBPyConnection) -> None:
        super().__init__(conn, duck_conn)
        self.session = conn
        self._typed_ctas = False
        self._after_ctas: list[str] = []
        self._bindings: Any = None
        self._change: changes.Change | None = None
        self._parsed: Expr | None = None

    def execute(
        self, command: str, params: Sequence[Any] | dict[Any, Any] | None = None, *args: Any, **kwargs: Any
    ) -> "Cursor":
        """Run one statement.

        Raises:
            snowflake.connector.errors.Error: whatever goes wrong, with Snowflake's number for it.
        """
        started, failure = datetime.now(UTC), None
        with self.session.lock:
            try:
                self._sfqid = None
                self._run(command, params, *args, **kwargs)
            except Exception as e:
                failure = errors.translate(e)
                self._sqlstate = failure.sqlstate
                raise failure from e
            finally:
                self._remember(command, started, failure)
        return self

    def reply(self, sql: str) -> None:
        """Make the result of a DuckDB query the reply of the statement."""
        self._execute(sqlglot.parse_one(sql, read="duckdb"))

    def query(self, sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows of a DuckDB query on the session's connection."""
        return self._duck_conn.execute(sql, params or []).fetchall()

    def run_snowflake(self, sql: str) -> None:
        """Run a Snowflake statement on behalf of a control statement, with the session's privileges."""
        super().execute(sql)

    def _run(self, command: str, params: Any, *args: Any, **kwargs: Any) -> None:
        from local.snowflake import control  # its statements know the cursor they run on

        text = refusals.bare(command)
        self.session.leave_dropped()
        if found := control.find(text):
            statement, match = found
            if statement.defines:
                self.session.end_transaction()
            with self.session.engine.catalog.transaction() if statement.atomic else nullcontext():
                reply = statement.run(self, match)
            self.reply(reply)
            return
        self._bindings = kwargs.get("binding_params") or params
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._run_once(text, params, *args, **kwargs)
                return
            except duckdb.TransactionException as e:
                # Snowflake lets writers of one table wait for each other; DuckDB tells the second to try again.
                open_transaction = self.session.in_transaction or self.session._in_transaction
                if "onflict" not in str(e) or open_transaction or attempt == _ATTEMPTS:
                    raise
                time.sleep(0.01 * 2**attempt)

    def _run_once(self, text: str, params: Any, *args: Any, **kwargs: Any) -> None:
        self._typed_ctas, self._after_ctas, self._change, self._parsed = False, [], None, None
        try:
            super().execute(text, params, *args, **kwargs)
            if self._typed_ctas:
                self._finish_typed_ctas()
        except BaseException:
            if self._typed_ctas:
                self._duck_conn.rollback()
                self._typed_ctas = False
            if self._parsed is not None and privileges.is_temporary(self._parsed):
                temporary.forget(self._parsed, self.session)
            raise
        if isinstance(self._parsed, exp.Drop):
            temporary.forget(self._parsed, self.session)
        changes.apply(self._change, self.session)

    def _finish_typed_ctas(self) -> None:
        rows = self._rowcount
        self._duck_conn.commit()
        self._typed_ctas = False
        for sql in self._after_ctas:
            self._duck_conn.execute(sql)
        self.reply(status(f"Table {privileges.target_of(self._parsed).name} successfully created."))
        self._rowcount = rows

    def check_db_and_schema(self, expression: Expr) -> None:
        """Called by fakesnow once for each statement, before it changes the tree."""
        bindings = list(self._bindings) if isinstance(self._bindings, (list, tuple)) else self._bindings
        resolved = expression.copy().transform(lambda e: refusals.identifier(e, bindings))
        refusals.refuse_commands(resolved)
        privileges.refuse_foreign(resolved)
        super().check_db_and_schema(expression)
        privileges.check(resolved, self.session)
        self._parsed = resolved
        if isinstance(resolved, (exp.Transaction, exp.Commit, exp.Rollback)):
            self.session.in_transaction = isinstance(resolved, exp.Transaction)
        elif isinstance(resolved, _DDL):
            self.session.end_transaction()
        self._change = changes.change_of(resolved, self.session)

    def _transform_explode(self, expression: Expr) -> list[Expr]:
        if isinstance(expression, exp.Merge):
            return [merge.prepare(expression)]
        if isinstance(expression, exp.Create) and isinstance(expression.this, exp.Schema):
            _strip_keys(expression.this)
            lengths.enforce(expression.this)
            if self._is_typed_ctas(expression):
                return self._split_typed_ctas(expression)
        return super()._transform_explode(expression)

    def _is_typed_ctas(self, create: exp.Create) -> bool:
        typed = all(isinstance(column, exp.ColumnDef) and column.kind for column in create.this.expressions)
        return bool(create.kind == "TABLE" and create.expression and create.this.expressions and typed)

    def _split_typed_ctas(self, create: exp.Create) -> list[Expr]:
        """CREATE and INSERT in one transaction, so that the declared types and NOT NULL really hold."""
        insert = exp.Insert(this=create.this.this.copy(), expression=create.expression.copy())
        create = create.copy()
        create.set("expression", None)
        self.session.end_transaction()
        self._duck_conn.begin()
        self._typed_ctas = True
        return [create, insert]

    def _transform(self, expression: Expr, params: Any) -> Expr:
        shown = expression if isinstance(expression, exp.Show) else None
        expression = temporary.rewrite(expression, self.session)
        if isinstance(expression, exp.Insert):
            inserts.write_offsets(expression, self.session)
        expression = expression.transform(functions.rewrite, session=self.session)
        transformed = super()._transform(Pipeline(expression), params).tree
        _escape_comment(transformed)
        if isinstance(self._change, changes.Created) and self._change.kind == "VIEW":
            self._change = replace(self._change, definition=transformed.sql("duckdb"))
        if shown is not None and isinstance(transformed, exp.Select):
            return visibility.limit(shown, transformed, self.session)
        if self._typed_ctas:
            self._postpone_account_writes(transformed)
        return transformed

    def _postpone_account_writes(self, create: Expr) -> None:
        """One DuckDB transaction cannot write two files: what goes to the account's waits for the commit."""
        if not (table := create.find(exp.Table)):
            return
        place = (table.catalog or self.session.database, table.db or self.session.schema, table.name)
        if place[0] == "temp":
            return
        if lengths := create.args.pop("text_lengths", None):
            self._after_ctas.append(info_schema.insert_text_lengths_sql(*place, lengths))
        if comment := create.args.pop("table_comment", None):
            self._after_ctas.append(info_schema.insert_table_comment_sql(*place, comment[1]))

    def _execute(self, transformed: Expr, params: Any = None) -> None:
        match transformed:
            case exp.Merge():
                counts = sqlglot.parse_one(self._begin_if_needed(transformed, params), read="duckdb")
                counts.set("merge_counts", True)
                super()._execute(counts)
            case exp.Copy():
                self.reply(copy_into.run(self, transformed))
            case exp.Create() if (original := _copied_from(transformed)) is not None:
                self._copy_table(transformed, original)
            case exp.Create() if transformed.find(exp.TemporaryProperty) and transformed.kind in ("TABLE", "VIEW"):
                self._create_temporary(transformed, params)
            case exp.Alter():
                if not alter.has_changed_length(self, transformed):
                    super()._execute(transformed, params)
                    alter.follow(self, transformed)
                self.reply(SUCCESS)
            case _:
                super()._execute(transformed, params)
                if isinstance(transformed, exp.Comment):
                    super()._execute(sqlglot.parse_one(SUCCESS, read="duckdb"))

    def _copy_table(self, create: exp.Create, original: exp.Table) -> None:
        """CREATE TABLE … LIKE, and CREATE TABLE … CLONE with the rows."""
        catalog = self.session.engine.catalog
        created = privileges.target_of(create)
        source, target = (privileges.table_name(table, self.session) for table in (original, created))
        self.reply(status(f"Table {target[2].rpartition('.')[2]} successfully created."))
        connection, exists = self._duck_conn, clone.table_ddl(self._duck_conn, target) is not None
        if exists and (create.args.get("exists") or (create.args.get("replace") and source == target)):
            return
        ddl = clone.table_ddl(connection, source)
        if ddl is None:
            raise errors.missing("Table", privileges.quote_plain(source))
        connection.begin()
        try:
            if exists and create.args.get("replace"):
                connection.execute(f"DROP TABLE {quote(*target)}")
            clone.copy_table(connection, ddl, source, target, rows=bool(create.args.get("clone")))
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        with catalog.transaction():
            information_schema.forget(catalog, *target)
            information_schema.copy(catalog, source, target)
            if comment := create.args.get("table_comment"):
                catalog.rows(info_schema.insert_table_comment_sql(*target, comment[1]))
        if target[0] != "temp":
            changes.forget_loads(self.session, target)

    def _create_temporary(self, create: exp.Create, params: Any) -> None:
        """Without the load history that fakesnow would look for, which DuckDB's temporary catalog cannot hold."""
        table = privileges.target_of(create)
        name = table.name.rpartition(".")[2]
        self._duck_conn.execute(create.sql("duckdb"), params)
        if lengths := create.args.get("text_lengths"):
            self.session.engine.catalog.rows(info_schema.insert_text_lengths_sql("temp", "main", table.name, lengths))
        self.reply(status(f"{create.kind.capitalize()} {name} successfully created."))
        self._last_transformed = create

    def _describe_last_sql(self) -> list[Any]:
        """Names and types of the result's columns, asked of DuckDB without a detour through the parser."""
        if ";" in self._last_sql:
            return list(super()._describe_last_sql())
        return self._duck_conn.execute(f"DESCRIBE {self._last_sql}", self._last_params).fetchall()

    def _begin_if_needed(self, statement: exp.Merge, params: Any) -> str:
        if not self.session._autocommit and not self.session._in_transaction:
            self._duck_conn.begin()
            self.session._in_transaction = True
        return merge.run(statement, self._duck_conn, params)

    def _remember(self, command: str, started: datetime, failure: Error | None) -> None:
        self._sfqid = self._sfqid or str(uuid.uuid4())
        ended, session = datetime.now(UTC), self.session
        session.last_query_id = self._sfqid
        words = command.split(None, 1)
        self.session.engine.history.add(
            Query(
                query_id=self._sfqid,
                query_text=command,
                database_name=session.database,
                schema_name=session.schema,
                query_type=words[0].upper()[:20] if words else "",
                session_id=session.id,
                user_name=session.user,
                role_name=session.role,
                warehouse_name=session.warehouse,
                query_tag=session.query_tag,
                execution_status="FAILED_WITH_ERROR" if failure else "SUCCESS",
                error_code=failure.errno if failure else None,
                error_message=str(failure.msg)[:1000] if failure else None,
                start_time=started,
                end_time=ended,
                total_elapsed_time=int((ended - started).total_seconds() * 1000),
                rows_produced=None if failure else self._rowcount,
            )
        )


def _escape_comment(statement: Expr) -> None:
    """fakesnow puts the comment of a CREATE between quotes as it is, and None for any with other properties."""
    if found := statement.args.pop("table_comment", None):
        table, comment = found
        if comment is not None:
            statement.args["table_comment"] = (table, comment.replace("'", "''"))


def _copied_from(create: exp.Create) -> exp.Table | None:
    """The table that a new one is to be like, or a clone of."""
    if create.args.get("clone"):
        return create.args["clone"].this
    properties = create.args.get("properties")
    like = properties and properties.find(exp.LikeProperty)
    return like.this if like else None


def _strip_keys(schema: exp.Schema) -> None:
    """Snowflake records PRIMARY KEY, UNIQUE and FOREIGN KEY and does not enforce them; DuckDB would."""

    def is_key(node: Expr) -> bool:
        if isinstance(node, exp.Constraint):
            return any(is_key(inner) for inner in node.expressions)
        return isinstance(node, (exp.PrimaryKey, exp.ForeignKey, exp.UniqueColumnConstraint))

    schema.set("expressions", [node for node in schema.expressions if not is_key(node)])
    for column in schema.expressions:
        if isinstance(column, exp.ColumnDef):
            kept = [c for c in column.args.get("constraints") or [] if not isinstance(c.args.get("kind"), _KEYS)]
            column.set("constraints", kept)
