"""Snowflake's errors: numbers, SQL states and words as its clients know them, and DuckDB's translated to them."""

import re

import duckdb
from snowflake.connector.errors import Error, ProgrammingError
from sqlglot.errors import ParseError


def error(message: str, errno: int = 1003, sqlstate: str = "42000") -> ProgrammingError:
    """An error that a client sees with this message, ``errno`` and ``sqlstate``."""
    return ProgrammingError(msg=message, errno=errno, sqlstate=sqlstate)


def missing(kind: str, name: str) -> ProgrammingError:
    """The object does not exist, or the role may not know that it does: Snowflake does not tell which."""
    sqlstate = "42S02" if kind == "Object" else "02000"
    return error(f"SQL compilation error:\n{kind} '{name}' does not exist or not authorized.", 2003, sqlstate)


def exists(name: str) -> ProgrammingError:
    return error(f"SQL compilation error:\nObject '{name}' already exists.", 2002, "42710")


def denied(kind: str, name: str) -> ProgrammingError:
    """The role knows the object but lacks the privilege for this operation."""
    return error(
        f"SQL access control error:\nInsufficient privileges to operate on {kind.lower()} '{name}'", 3001, "42501"
    )


def unsupported(feature: str) -> ProgrammingError:
    return error(f"SQL compilation error:\nUnsupported feature '{feature}' in the local Snowflake.", 2, "0A000")


def syntax(token: str, line: int = 1, position: int = 0) -> ProgrammingError:
    """The parser did not expect this token; its position is counted from 0 in its line."""
    words = f"syntax error line {line} at position {position} unexpected '{token}'."
    return error(f"SQL compilation error:\n{words}", 1003, "42000")


def unparsed(failure: ParseError) -> ProgrammingError:
    """What sqlglot could not parse. It does not tell the end of the text from the token before it."""
    if not failure.errors:
        return syntax("<EOF>")
    found = failure.errors[0]
    token, line, end = found["highlight"], found["line"], found["col"]
    named = found["description"].startswith(("Invalid expression", "Found multiple"))
    if not named and not found["end_context"].strip():
        return syntax("<EOF>", line, end)
    return syntax(token, line, end - len(token))


def unterminated(text: str) -> ProgrammingError:
    """A string, a quoted name or a comment in the text has no end."""
    *before, last = text.split("\n")
    words = f"parse error line {len(before) + 1} at position {len(last)} near '<EOF>'."
    return error(f"SQL compilation error:\n{words}", 1003, "42000")


def invalid(message: str) -> ProgrammingError:
    return error(f"SQL compilation error:\n{message}", 1008, "22023")


def no_current(what: str) -> ProgrammingError:
    """The session has no current database (90105) or schema (90106) to complete a name with."""
    return error(
        f"Cannot perform operation. This session does not have a current {what}. "
        f"Call 'USE {what.upper()}', or use a qualified name.",
        {"database": 90105, "schema": 90106}[what],
        "22000",
    )


_PATTERNS = (
    (r"NOT NULL constraint failed: ", "NULL result in a non-nullable column", 100072, "22000"),
    (r"(String '.*' is too long and would be truncated)", "{0}", 100078, "22000"),
    (r"Division by zero", "Division by zero", 100051, "22012"),
    (r'(?:Table|View) with name "?([\w.$]+)"? does not exist', "Object '{0}' does not exist or not authorized.", 2003,
     "42S02"),
    (r'Schema with name "?([\w.$]+)"? does not exist', "Schema '{0}' does not exist or not authorized.", 2003, "02000"),
    (r'syntax error at or near "(.*?)"', "syntax error line 1 at position 0 unexpected '{0}'.", 1003, "42000"),
    (r'(?:Table|View|Schema|Sequence)(?: with name)? "?([\w.$]+)"? already exists', "Object '{0}' already exists.",
     2002, "42710"),
    (r'Existing object "?(\w+)"? is of type (\w+), trying to (?:replace with|drop) type (\w+)',
     "Object found is of type '{1}', specified type is '{2}'.", 2203, "42809"),
    (r'Function with name "?([\w$]+)"? does not exist', "Unknown function {0}.", 2140, "42601"),
)  # fmt: skip
_RUNTIME = (100072, 100078, 100051)  # errors of a row, which Snowflake does not call compilation errors


def translate(exc: Exception) -> Error:
    """The error a Snowflake client would have seen for any exception raised while a statement ran."""
    if isinstance(exc, ParseError):
        return unparsed(exc)
    message = str(exc.msg) if isinstance(exc, Error) else str(exc)
    for pattern, words, errno, sqlstate in _PATTERNS:
        if found := re.search(pattern, message, re.S):
            text = words.format(*found.groups())
            return error(text if errno in _RUNTIME else f"SQL compilation error:\n{text}", errno, sqlstate)
    if isinstance(exc, Error):
        return exc
    if isinstance(exc, duckdb.Error):
        return error(f"SQL compilation error:\n{message}", 2140, "42601")
    if isinstance(exc, NotImplementedError):
        return unsupported(message)
    return error(f"SQL execution internal error:\n{type(exc).__name__}: {message}", 603, "XX000")
