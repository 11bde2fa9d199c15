-- The first delivery of an event counts. A tombstone is no event.
select
    event_id,
    card_id,
    event_type,
    occurred_at,
    occurred_at::date as occurred_on,
    amount,
    currency,
    merchant_id,
    merchant_country,
    kafka_timestamp
from {{ source('raw', 'card_events') }}
where not is_tombstone
qualify row_number() over (partition by event_id order by kafka_timestamp, kafka_partition, kafka_offset) = 1
