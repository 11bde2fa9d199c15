-- Each settled card payment beside what the acquirer settled for it: a difference is the acquirer's debt, or ours.
select
    payments.payment_id::number(38, 0) as payment_id,
    payments.booked_on::date as booked_on,
    payments.currency::varchar as currency,
    payments.amount::number(18, 2) as amount,
    coalesce(settled.settled_amount, 0)::number(38, 2) as settled_amount,
    coalesce(settled.settled_fee, 0)::number(38, 2) as settled_fee,
    coalesce(settled.settlement_lines, 0)::number(38, 0) as settlement_lines,
    (abs(payments.amount) - coalesce(settled.settled_amount, 0))::number(38, 2) as difference
from {{ ref('stg_payments') }} as payments
left join {{ ref('int_settled_payments') }} as settled on settled.payment_id = payments.payment_id
where payments.method = 'card' and payments.status = 'settled'
