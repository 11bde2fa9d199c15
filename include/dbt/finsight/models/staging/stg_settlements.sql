-- A line that is delivered again on a later day counts there.
select
    settlement_id,
    line_no,
    settlement_id || '/' || line_no::varchar as settlement_line_id,
    merchant_id,
    payment_id,
    amount,
    coalesce(fee, 0)::number(18, 2) as fee,
    currency,
    amount_eur,
    settled_at,
    landed_on
from {{ source('raw', 'settlements') }}
{{ latest('settlement_id, line_no', 'landed_on') }}
