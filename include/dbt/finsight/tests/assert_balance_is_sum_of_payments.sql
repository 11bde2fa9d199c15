-- The last balance of a customer and currency is the sum of the payments that moved money.
with balances as (
    select customer_id, currency, balance
    from {{ ref('customer_daily_balance') }}
    qualify row_number() over (partition by customer_id, currency order by balance_on desc) = 1
),

payments as (
    select customer_id, currency, sum(amount) as total
    from {{ ref('fct_payments') }}
    where status in ('settled', 'refunded')
    group by customer_id, currency
)

select balances.customer_id, balances.currency, balances.balance, payments.total
from balances
full outer join payments
    on payments.customer_id = balances.customer_id and payments.currency = balances.currency
where coalesce(balances.balance, 0) <> coalesce(payments.total, 0)
