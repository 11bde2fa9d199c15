-- What a customer's payments add up to at the end of each day with any, by currency.
select
    customer_id::number(38, 0) as customer_id,
    booked_on::date as balance_on,
    currency::varchar as currency,
    payment_count::number(38, 0) as payment_count,
    movement::number(38, 2) as movement,
    sum(movement) over (
        partition by customer_id, currency
        order by booked_on
        rows between unbounded preceding and current row
    )::number(38, 2) as balance
from {{ ref('int_customer_daily_movements') }}
