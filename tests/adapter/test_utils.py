"""dbt's macros that hide how databases differ, and the names of types."""

import pytest
from dbt.tests.adapter.utils import (
    test_any_value,
    test_array_append,
    test_array_concat,
    test_array_construct,
    test_bool_or,
    test_cast,
    test_cast_bool_to_text,
    test_concat,
    test_current_timestamp,
    test_date,
    test_date_spine,
    test_date_trunc,
    test_dateadd,
    test_datediff,
    test_equals,
    test_escape_single_quotes,
    test_except,
    test_generate_series,
    test_get_intervals_between,
    test_get_powers_of_two,
    test_hash,
    test_intersect,
    test_last_day,
    test_length,
    test_listagg,
    test_null_compare,
    test_position,
    test_replace,
    test_right,
    test_safe_cast,
    test_source_freshness_custom_info,
    test_split_part,
    test_string_literal,
    test_timestamps,
    test_validate_sql,
)
from dbt.tests.adapter.utils.data_types import (
    test_type_bigint,
    test_type_boolean,
    test_type_float,
    test_type_int,
    test_type_numeric,
    test_type_string,
    test_type_timestamp,
)


class TestAnyValue(test_any_value.BaseAnyValue):
    pass


class TestArrayAppend(test_array_append.BaseArrayAppend):
    pass


class TestArrayConcat(test_array_concat.BaseArrayConcat):
    pass


class TestArrayConstruct(test_array_construct.BaseArrayConstruct):
    pass


class TestBoolOr(test_bool_or.BaseBoolOr):
    pass


class TestCast(test_cast.BaseCast):
    pass


class TestCastBoolToText(test_cast_bool_to_text.BaseCastBoolToText):
    pass


class TestConcat(test_concat.BaseConcat):
    pass


class TestCurrentTimestampAware(test_current_timestamp.BaseCurrentTimestampAware):
    pass


class TestDate(test_date.BaseDate):
    pass


class TestDateSpine(test_date_spine.BaseDateSpine):
    pass


class TestDateTrunc(test_date_trunc.BaseDateTrunc):
    pass


class TestDateAdd(test_dateadd.BaseDateAdd):
    pass


class TestDateDiff(test_datediff.BaseDateDiff):
    pass


class TestEquals(test_equals.BaseEquals):
    pass


class TestEscapeSingleQuotesQuote(test_escape_single_quotes.BaseEscapeSingleQuotesQuote):
    pass


class TestEscapeSingleQuotesBackslash(test_escape_single_quotes.BaseEscapeSingleQuotesBackslash):
    pass


class TestExcept(test_except.BaseExcept):
    pass


class TestGenerateSeries(test_generate_series.BaseGenerateSeries):
    pass


class TestGetIntervalsBetween(test_get_intervals_between.BaseGetIntervalsBetween):
    pass


class TestGetPowersOfTwo(test_get_powers_of_two.BaseGetPowersOfTwo):
    pass


class TestHash(test_hash.BaseHash):
    pass


class TestIntersect(test_intersect.BaseIntersect):
    pass


class TestLastDay(test_last_day.BaseLastDay):
    pass


class TestLength(test_length.BaseLength):
    pass


class TestListagg(test_listagg.BaseListagg):
    pass


class TestNullCompare(test_null_compare.BaseNullCompare):
    pass


class TestMixedNullCompare(test_null_compare.BaseMixedNullCompare):
    pass


class TestPosition(test_position.BasePosition):
    pass


class TestReplace(test_replace.BaseReplace):
    pass


class TestRight(test_right.BaseRight):
    pass


class TestSafeCast(test_safe_cast.BaseSafeCast):
    pass


class TestCalculateFreshnessMethod(test_source_freshness_custom_info.BaseCalculateFreshnessMethod):
    pass


class TestSplitPart(test_split_part.BaseSplitPart):
    pass


class TestStringLiteral(test_string_literal.BaseStringLiteral):
    pass


class TestValidateSqlMethod(test_validate_sql.BaseValidateSqlMethod):
    pass


class TestTypeBigInt(test_type_bigint.BaseTypeBigInt):
    pass


class TestTypeBoolean(test_type_boolean.BaseTypeBoolean):
    pass


class TestTypeFloat(test_type_float.BaseTypeFloat):
    pass


class TestTypeInt(test_type_int.BaseTypeInt):
    pass


class TestTypeNumeric(test_type_numeric.BaseTypeNumeric):
    pass


class TestTypeString(test_type_string.BaseTypeString):
    pass


class TestTypeTimestamp(test_type_timestamp.BaseTypeTimestamp):
    pass


class TestCurrentTimestamps(test_timestamps.BaseCurrentTimestamps):
    @pytest.fixture(scope="class")
    def models(self):
        macros = ("current_timestamp", "current_timestamp_in_utc_backcompat", "current_timestamp_backcompat")
        columns = ", ".join("{{" + macro + "()}} as " + macro for macro in macros)
        return {"get_current_timestamp.sql": f"select {columns}"}

    @pytest.fixture(scope="class")
    def expected_schema(self):
        return {
            "CURRENT_TIMESTAMP": "TIMESTAMP_TZ",
            "CURRENT_TIMESTAMP_IN_UTC_BACKCOMPAT": "TIMESTAMP_NTZ",
            "CURRENT_TIMESTAMP_BACKCOMPAT": "TIMESTAMP_NTZ",
        }

    @pytest.fixture(scope="class")
    def expected_sql(self):
        return """
            select convert_timezone('UTC', current_timestamp()) as current_timestamp,
            convert_timezone('UTC', current_timestamp::TIMESTAMP)::TIMESTAMP as current_timestamp_in_utc_backcompat,
            current_timestamp::TIMESTAMP as current_timestamp_backcompat
        """
