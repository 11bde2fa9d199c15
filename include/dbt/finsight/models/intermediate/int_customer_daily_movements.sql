-- Money in and out of a customer's accounts by day and currency. Failed and pending payments moved nothing.
select
    accounts.customer_id,
    payments.booked_on,
    payments.currency,
    sum(payments.amount)::number(38, 2) as movement,
    count(*) as payment_count
from {{ ref('stg_payments') }} as payments
inner join {{ ref('stg_accounts') }} as accounts on accounts.account_id = payments.account_id
where payments.status in ('settled', 'refunded')
group by accounts.customer_id, payments.booked_on, payments.currency
