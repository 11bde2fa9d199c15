"""What is refused before it runs: what fakesnow would run otherwise than Snowflake does, or without a check."""

from __future__ import annotations

from typing import Any

import sqlglot
from fakesnow import transforms
from sqlglot import Expr, exp
from sqlglot.errors import TokenError
from sqlglot.tokens import TokenType

from local.snowflake import errors

_QUERIES = (TokenType.SELECT, TokenType.WITH)
_COMMANDS = ("PARAMETERS", "USER FUNCTIONS")  # the SHOW statements that sqlglot cannot parse and fakesnow can run


def bare(command: str) -> str:
    """A statement without comments around it and semicolons after it.

    Raises:
        ProgrammingError: 8 if there is more than one statement; 1003 if a string, a quoted name or a comment has no
            end; 2 if it could make a name with an apostrophe, as fakesnow writes names between apostrophes into SQL
            that runs without a check of privileges.
    """
    try:
        tokens = sqlglot.tokenize(command, read="snowflake")
    except TokenError as e:
        raise errors.unterminated(command) from e
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if count := sum(token.token_type is TokenType.SEMICOLON for token in tokens):
        raise errors.error(
            f"Actual statement count {count + 1} did not match the desired statement count 1.", 8, "0A000"
        )
    if tokens and tokens[0].token_type not in _QUERIES:
        for token in tokens:
            if token.token_type is TokenType.IDENTIFIER:
                _refuse_apostrophe(token.text)
    return command[tokens[0].start : tokens[-1].end + 1] if tokens else ""


def identifier(node: Expr, params: Any) -> Expr:
    """IDENTIFIER('a.b') as the table it names."""
    found = transforms.identifier(node, params)
    if found is not node:
        for part in found.find_all(exp.Identifier):
            _refuse_apostrophe(part.name)
    return found


def refuse_commands(statement: Expr) -> None:
    """Refuse what sqlglot could not parse, which fakesnow would hand to DuckDB as it stands."""
    if not isinstance(statement, exp.Command):
        if isinstance(statement, (exp.Undrop, exp.Grant, exp.Revoke, exp.Pragma, exp.Kill, exp.Analyze)):
            raise errors.unsupported(statement.key.upper())
        return
    word, rest = str(statement.this).upper(), str(statement.expression or "").strip()
    if word == "SHOW" and rest.upper().startswith(_COMMANDS):
        return
    if word == "ALTER" and rest.upper().endswith("RECLUSTER"):
        return
    raise errors.unsupported(" ".join([word, *rest.upper().split()[:2]]))


def _refuse_apostrophe(name: str) -> None:
    if "'" in name:
        raise errors.unsupported("a name with an apostrophe")
