"""Functions whose result's type hangs on their arguments', which DuckDB knows and a statement's text does not tell.

They are in DuckDB's memory, made anew at each start, so that every database and view reaches them. ``_quotient`` gives
a quotient of NUMBERs Snowflake's scale, max(s, min(s + 6, 12)); DuckDB's is a DOUBLE. The sum in it has this scale as
its type, or is a DOUBLE if a or b is, and is never computed. ``_fits`` is in the CHECK constraints of tables, too.
"""

from sqlglot import Expr, exp

SQL = """
CREATE OR REPLACE MACRO memory.main._date_trunc(part, a DATE) AS CAST(date_trunc(part, a) AS DATE),
  (part, a TIMESTAMP) AS date_trunc(part, a),
  (part, a TIMESTAMPTZ) AS date_trunc(part, a),
  (part, a VARCHAR) AS date_trunc(part, CAST(a AS TIMESTAMP));
CREATE OR REPLACE MACRO memory.main._divisor(b) AS CASE WHEN b = 0 THEN error('Division by zero') ELSE b END;
CREATE OR REPLACE MACRO memory.main._quotient(value, a, b) AS
  cast_to_type(value, CAST(0 AS DECIMAL(38, 0)) + a + round(a * 1.000000, 12) + round(b));
CREATE OR REPLACE MACRO memory.main._fits(a, n) AS
  CASE WHEN length(a) > n THEN error('String ''' || a || ''' is too long and would be truncated') ELSE a END;
"""


def call(name: str, *arguments: Expr) -> Expr:
    """A call of one of them."""
    place = [exp.to_identifier(part, quoted=True) for part in ("memory", "main")]
    return exp.Dot.build([*place, exp.Anonymous(this=name, expressions=list(arguments))])
