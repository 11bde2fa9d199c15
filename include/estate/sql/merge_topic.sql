{#- params.table: a RAW table of records that stay documents; params.folder: of the lake, where the files lie.
    A record is known by its place in the topic, so records that were loaded before are left alone. -#}
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
ON target.kafka_partition = delta.kafka_partition AND target.kafka_offset = delta.kafka_offset
WHEN NOT MATCHED THEN INSERT (
    kafka_partition, kafka_offset, kafka_timestamp, record_key, record_value, record_headers
) VALUES (
    delta.kafka_partition, delta.kafka_offset, delta.kafka_timestamp, delta.record_key, delta.record_value,
    delta.record_headers
);

DROP TABLE {{ delta }};
