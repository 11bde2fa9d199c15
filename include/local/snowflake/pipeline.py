"""fakesnow's transforms without the walks that would find nothing.

fakesnow walks a statement's tree some eighty times, once for each transform, and a statement needs three or four of
them. Each transform acts on certain kinds of nodes; a tree that holds none of them is left as it is without a walk.
"""

from functools import cache
from types import FunctionType
from typing import Any

from sqlglot import Expr, exp

_ACTS_ON: dict[str, tuple[type[Expr], ...]] = {
    "alias_in_join": (exp.Select,),
    "alias_in_where": (exp.Select,),
    "alter_session": (exp.Alter,),
    "alter_table_strip_cluster_by": (exp.Alter, exp.Command),
    "array_agg": (exp.ArrayAgg,),
    "array_agg_within_group": (exp.WithinGroup,),
    "array_construct_etc": (exp.Array, exp.ArrayConcat, exp.ArrayConstructCompact),
    "array_size": (exp.ArraySize,),
    "create_database": (exp.Create,),
    "create_file_format": (exp.Create,),
    "create_stage": (exp.Create,),
    "create_table_as": (exp.Create,),
    "create_user": (exp.Command,),
    "current_version": (exp.CurrentVersion,),
    "dateadd_date_cast": (exp.DateAdd,),
    "dateadd_string_literal_timestamp_cast": (exp.DateAdd,),
    "datediff_string_literal_timestamp_cast": (exp.DateDiff,),
    "drop_schema_cascade": (exp.Drop,),
    "extract_comment_on_columns": (exp.Alter,),
    "extract_comment_on_table": (exp.Create, exp.Comment, exp.Alter),
    "extract_text_length": (exp.Create, exp.Alter),
    "flatten": (exp.Explode,),
    "flatten_value_cast_as_varchar": (exp.Cast,),
    "float_to_double": (exp.DataType,),
    "haversine": (exp.Anonymous,),
    "hex_string": (exp.HexString,),
    "indices_to_json_extract": (exp.Bracket,),
    "information_schema_databases": (exp.Table,),
    "information_schema_fs": (exp.Table,),
    "integer_precision": (exp.DataType,),
    "json_extract_cased_as_varchar": (exp.JSONExtract,),
    "json_extract_cast_as_varchar": (exp.JSONExtract,),
    "json_extract_precedence": (exp.JSONExtract, exp.JSONExtractScalar),
    "left_to_the_cursor": (),
    "list_stage": (exp.ListStage,),
    "object_agg": (exp.ObjectAgg,),
    "object_construct": (exp.StarMap, exp.Struct, exp.JSONObject),
    "put_stage": (exp.Put,),
    "random": (exp.Rand,),
    "regex_replace": (exp.RegexpReplace,),
    "regex_substr": (exp.RegexpExtract,),
    "result_scan": (exp.TableFromRows,),
    "sample": (exp.TableSample,),
    "semi_structured_types": (exp.DataType,),
    "set_schema": (exp.Use,),
    "sha256": (exp.SHA2, exp.SHA2Digest, exp.Anonymous),
    "show_by_page": (exp.Show,),
    "show_columns": (exp.Show,),
    "show_databases": (exp.Show,),
    "show_functions": (exp.Show, exp.Command),
    "show_keys": (exp.Show,),
    "show_parameters": (exp.Command,),
    "show_procedures": (exp.Show,),
    "show_schemas": (exp.Show,),
    "show_sequences": (exp.Show,),
    "show_stages": (exp.Show,),
    "show_users": (exp.Show,),
    "show_warehouses": (exp.Show,),
    "split": (exp.Split,),
    "tag": (exp.Alter, exp.Command, exp.Create, exp.Drop),
    "timestamp_ntz": (exp.DataType,),
    "timestamp_offsets": (exp.Cast,),
    "to_date": (exp.Anonymous,),
    "to_decimal": (exp.ToNumber,),
    "to_timestamp": (exp.UnixToTime, exp.Anonymous, exp.Cast),
    "to_variant": (exp.ToVariant,),
    "try_parse_json": (exp.Anonymous,),
    "values_columns": (exp.Values,),
}
"""By name of a transform of fakesnow 0.12.1 (or of ``patches``), what it looks for. One not here always runs."""


class Pipeline:
    """Stands for a tree in ``FakeSnowflakeCursor._transform``, which only ever calls ``transform`` on it."""

    def __init__(self, tree: Expr) -> None:
        self.tree = tree
        self._kinds = _kinds_in(tree)

    def transform(self, function: FunctionType, *args: Any, copy: bool = True, **kwargs: Any) -> "Pipeline":
        acts_on = _ACTS_ON.get(_name(function))
        if acts_on is None or not self._kinds.isdisjoint(acts_on):
            self.tree = self.tree.transform(function, *args, copy=copy, **kwargs)
            self._kinds = _kinds_in(self.tree)
        return self


def _name(function: FunctionType) -> str:
    """The transform's name; where it is wrapped in a lambda, that of the one it calls."""
    if function.__name__ != "<lambda>":
        return function.__name__
    _, name, *_ = function.__code__.co_names  # transforms.name
    return name


@cache
def _lineage(kind: type[Expr]) -> frozenset[type]:
    return frozenset(kind.__mro__)


def _kinds_in(tree: Expr) -> set[type]:
    kinds = {type(node) for node in tree.walk()}
    return set().union(*(_lineage(kind) for kind in kinds))
