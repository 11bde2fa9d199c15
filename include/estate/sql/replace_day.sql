{#- params.table: a RAW table with a LANDED_ON column. One day's rows are replaced whole, in one transaction: those of
    the day that began params.days_back days before the interval. -#}
{%- set day = macros.ds_add(data_interval_start | ds, -params.days_back) -%}
{%- set target = "RAW." ~ params.table | upper -%}
BEGIN;

DELETE FROM {{ target }} WHERE landed_on = '{{ day }}'::DATE;

COPY INTO {{ target }}
FROM @RAW.LAKE/raw/{{ params.table }}/dt={{ day }}/
FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE)
MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
FORCE = TRUE;

COMMIT;
