"""Files as relations: DuckDB queries that read a CSV, JSON or Parquet file the way its FILE_FORMAT says."""

from dataclasses import dataclass
from typing import Any

from duckdb import DuckDBPyConnection

from local.snowflake import errors
from local.snowflake.names import literal, quote

_DEFAULTS: dict[str, dict[str, Any]] = {
    "CSV": {
        "FIELD_DELIMITER": ",", "RECORD_DELIMITER": "\n", "SKIP_HEADER": 0, "PARSE_HEADER": False,
        "FIELD_OPTIONALLY_ENCLOSED_BY": "NONE", "ESCAPE": "NONE", "ESCAPE_UNENCLOSED_FIELD": "NONE",
        "NULL_IF": ["\\N"], "EMPTY_FIELD_AS_NULL": True, "TRIM_SPACE": False, "COMPRESSION": "AUTO",
        "ERROR_ON_COLUMN_COUNT_MISMATCH": True, "DATE_FORMAT": "AUTO", "TIMESTAMP_FORMAT": "AUTO",
        "TIME_FORMAT": "AUTO", "ENCODING": "UTF8", "SKIP_BLANK_LINES": False,
    },
    "JSON": {"COMPRESSION": "AUTO", "STRIP_OUTER_ARRAY": False, "STRIP_NULL_VALUES": False},
    "PARQUET": {"COMPRESSION": "AUTO", "USE_LOGICAL_TYPE": True, "USE_VECTORIZED_SCANNER": True, "BINARY_AS_TEXT": True,
                "SNAPPY_COMPRESSION": True},
}  # fmt: skip
_FIXED = {
    "RECORD_DELIMITER": ("\n", "\\n", "NONE", "AUTO"), "ESCAPE": ("NONE",), "ESCAPE_UNENCLOSED_FIELD": ("NONE",),
    "DATE_FORMAT": ("AUTO",), "TIMESTAMP_FORMAT": ("AUTO",), "TIME_FORMAT": ("AUTO",), "ENCODING": ("UTF8", "UTF-8"),
    "STRIP_NULL_VALUES": (False,), "SKIP_BLANK_LINES": (False,), "ERROR_ON_COLUMN_COUNT_MISMATCH": (True,),
}  # fmt: skip
"""Options of which only these values are understood; any other is refused rather than ignored."""


@dataclass(frozen=True)
class FileFormat:
    """A TYPE and all of its options, defaults filled in."""

    type: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Relation:
    """A file to read: SQL for a FROM, and the names of its columns in order.

    ``value`` is set when each row is one VARIANT (``$1``); it is the expression of that value.
    """

    sql: str
    columns: list[str]
    value: str | None = None


def parse(options: dict[str, Any]) -> FileFormat:
    """Fill in a format's defaults.

    Raises:
        ProgrammingError: for a TYPE, an option or an option's value that is not supported.
    """
    kind = str(options.get("TYPE", "CSV")).upper()
    if kind not in _DEFAULTS:
        raise errors.unsupported(f"FILE_FORMAT TYPE = {kind}")
    given = {key: value for key, value in options.items() if key != "TYPE"}
    for key, value in given.items():
        if key not in _DEFAULTS[kind]:
            raise errors.unsupported(f"FILE_FORMAT option {key} of {kind}")
        allowed = _FIXED.get(key)
        if allowed and (value.upper() if isinstance(value, str) else value) not in allowed:
            raise errors.unsupported(f"FILE_FORMAT option {key} = {value}")
    return FileFormat(kind, _DEFAULTS[kind] | given)


def read(path: str, file_format: FileFormat, width: int | None, connection: DuckDBPyConnection) -> Relation:
    """The relation that a local file is.

    Args:
        width: number of columns a CSV must have; None to take what is there.
    """
    match file_format.type:
        case "PARQUET":
            source = f"read_parquet({literal(path)}, binary_as_string = true) AS f"
            return Relation(source, _names(source, connection), "to_json(f)")
        case "JSON":
            shape = "array" if file_format.options["STRIP_OUTER_ARRAY"] else "unstructured"
            return Relation(f"read_json_objects({literal(path)}, format = '{shape}') AS f", [], "f.json")
        case _:
            source = f"read_csv({', '.join([literal(path), *_csv_arguments(file_format.options, width)])}) AS f"
            return Relation(source, _names(source, connection))


def _names(source: str, connection: DuckDBPyConnection) -> list[str]:
    return [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]


def _csv_arguments(options: dict[str, Any], width: int | None) -> list[str]:
    header = bool(options["PARSE_HEADER"])
    nulls = options["NULL_IF"] if isinstance(options["NULL_IF"], list) else [options["NULL_IF"]]
    if options["EMPTY_FIELD_AS_NULL"] and "" not in nulls:
        nulls = ["", *nulls]
    enclosed = options["FIELD_OPTIONALLY_ENCLOSED_BY"]
    quoted = "" if str(enclosed).upper() == "NONE" else str(enclosed)
    arguments = [
        f"delim = {literal(str(options['FIELD_DELIMITER']))}", f"quote = {literal(quoted)}",
        f"escape = {literal(quoted)}", f"header = {literal(header)}", "all_varchar = true",
        f"skip = {int(options['SKIP_HEADER'])}", f"nullstr = [{', '.join(literal(n) for n in nulls)}]",
        "allow_quoted_nulls = false",
    ]  # fmt: skip
    if str(options["COMPRESSION"]).upper() in ("GZIP", "NONE"):
        arguments.append(f"compression = {literal(str(options['COMPRESSION']).lower())}")
    elif str(options["COMPRESSION"]).upper() not in ("AUTO", "AUTO_DETECT"):
        raise errors.unsupported(f"FILE_FORMAT option COMPRESSION = {options['COMPRESSION']}")
    if width and not header:
        columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(1, width + 1))
        arguments += ["auto_detect = false", f"columns = {{{columns}}}"]
    return arguments


def row_query(relation: Relation, file_format: FileFormat, targets: list[tuple[str, str]], match: str) -> str:
    """The SELECT that gives one value for each target column, as COPY without a query loads them.

    Args:
        targets: name and DuckDB type of each column to fill.
        match: MATCH_BY_COLUMN_NAME: NONE, CASE_SENSITIVE or CASE_INSENSITIVE.

    Raises:
        ProgrammingError: 2019 when a file of one VARIANT a row is to fill several columns without matching.
    """
    if match != "NONE":
        values = [_matched(relation, name, kind, match) for name, kind in targets]
    elif relation.value:
        if len(targets) != 1 or targets[0][1] != "JSON":
            raise errors.error(
                f"SQL compilation error:\n{file_format.type} file format can produce one and only one column of type "
                "variant, object, or array. Load data into separate columns using the MATCH_BY_COLUMN_NAME copy "
                "option or copy with transformation.", 2019, "0A000")  # fmt: skip
        values = [relation.value]
    else:
        trim = "trim({})" if file_format.options["TRIM_SPACE"] else "{}"
        values = [trim.format(f"f.{quote(column)}") for column in relation.columns]
    return f"SELECT {', '.join(values)} FROM {relation.sql}"


def _matched(relation: Relation, name: str, kind: str, match: str) -> str:
    if not relation.columns and relation.value:
        key = name if match == "CASE_SENSITIVE" else name.lower()
        keys = (
            f"list_filter(json_keys({relation.value}), lambda k: {'k' if match == 'CASE_SENSITIVE' else 'lower(k)'} = "
        )
        extract = "json_extract" if kind == "JSON" else "json_extract_string"
        pointer = "'/' || replace(replace(k, '~', '~0'), '/', '~1')"
        return f"list_transform({keys}{literal(key)}), lambda k: {extract}({relation.value}, {pointer}))[1]"
    same = (lambda c: c == name) if match == "CASE_SENSITIVE" else (lambda c: c.upper() == name.upper())
    column = next((c for c in relation.columns if same(c)), None)
    if column is None:
        return "NULL"
    return f"to_json(f.{quote(column)})" if kind == "JSON" else f"f.{quote(column)}"
