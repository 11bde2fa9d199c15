{#- A record is known by its place in the topic, so records that were loaded before are left alone.
    params.folder: of the lake, where the files lie; params.suffix: keeps pipelines apart. -#}
{%- set interval = data_interval_start | ts_nodash -%}
{%- set delta = "RAW.CARD_EVENTS_DELTA_" ~ interval ~ params.suffix -%}
CREATE OR REPLACE TEMPORARY TABLE {{ delta }} LIKE RAW.CARD_EVENTS;

COPY INTO {{ delta }}
FROM @RAW.LAKE/{{ params.folder }}interval={{ interval }}/
FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE)
MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
FORCE = TRUE;

MERGE INTO RAW.CARD_EVENTS AS target
USING {{ delta }} AS delta
ON target.kafka_partition = delta.kafka_partition AND target.kafka_offset = delta.kafka_offset
WHEN NOT MATCHED THEN INSERT (
    kafka_partition, kafka_offset, kafka_timestamp, card_id, is_tombstone, event_id, event_type, occurred_at,
    amount, currency, merchant_id, merchant_country, ip_address, note, trace_id
) VALUES (
    delta.kafka_partition, delta.kafka_offset, delta.kafka_timestamp, delta.card_id, delta.is_tombstone,
    delta.event_id, delta.event_type, delta.occurred_at, delta.amount, delta.currency, delta.merchant_id,
    delta.merchant_country, delta.ip_address, delta.note, delta.trace_id
);

DROP TABLE {{ delta }};
