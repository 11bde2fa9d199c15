{#- params.table, params.key, params.columns: a table of estate.tables; params.folder: of the lake, where its files lie. One source row per key, so the MERGE is
    deterministic; the interval's files are read whole every time (FORCE), so the same interval twice changes nothing.
    The delta table's name carries the interval and params.suffix, so intervals and pipelines may run at once. -#}
{%- set interval = data_interval_start | ts_nodash -%}
{%- set target = "RAW." ~ params.table | upper -%}
{%- set delta = target ~ "_DELTA_" ~ interval ~ params.suffix -%}
CREATE OR REPLACE TEMPORARY TABLE {{ delta }} LIKE {{ target }};

COPY INTO {{ delta }}
FROM @RAW.LAKE/{{ params.folder }}interval={{ interval }}/
FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE)
MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
FORCE = TRUE;

MERGE INTO {{ target }} AS target
USING {{ delta }} AS delta
ON target.{{ params.key }} = delta.{{ params.key }}
-- An older interval that is run late must not undo a newer one.
WHEN MATCHED AND delta.updated_at >= target.updated_at THEN UPDATE SET
{%- for column in params.columns if column != params.key %}
    {{ column }} = delta.{{ column }}{{ "," if not loop.last }}
{%- endfor %}
WHEN NOT MATCHED THEN INSERT ({{ params.columns | join(", ") }})
VALUES (delta.{{ params.columns | join(", delta.") }});

DROP TABLE {{ delta }};
