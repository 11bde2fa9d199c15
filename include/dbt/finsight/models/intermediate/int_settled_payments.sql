-- What the acquirer settled for each payment, in the payment's currency.
select
    payment_id,
    sum(amount)::number(38, 2) as settled_amount,
    sum(fee)::number(38, 2) as settled_fee,
    count(*) as settlement_lines,
    max(settled_at) as last_settled_at
from {{ ref('stg_settlements') }}
where payment_id is not null
group by payment_id
