select
    settlements.settlement_line_id::varchar as settlement_line_id,
    settlements.settlement_id::varchar as settlement_id,
    settlements.line_no::number(38, 0) as line_no,
    settlements.merchant_id::number(38, 0) as merchant_id,
    settlements.payment_id::number(38, 0) as payment_id,
    payments.payment_id is not null as is_payment_known,
    settlements.amount::number(18, 2) as amount,
    settlements.fee::number(18, 2) as fee,
    (settlements.amount - settlements.fee)::number(38, 2) as net_amount,
    settlements.currency::varchar as currency,
    settlements.amount_eur::number(18, 2) as amount_eur,
    settlements.settled_at::timestamp_ntz as settled_at,
    settlements.landed_on::date as landed_on
from {{ ref('stg_settlements') }} as settlements
left join {{ ref('stg_payments') }} as payments on payments.payment_id = settlements.payment_id
