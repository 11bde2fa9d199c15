-- Each payment with the newest rate that was valid on its day; amount_eur is null where there is none.
with rated as (
    select
        payments.*,
        case when payments.currency = 'EUR' then 1::number(18, 8) else rates.rate_to_eur end as rate_to_eur
    from {{ ref('stg_payments') }} as payments
    left join {{ ref('stg_fx_rates') }} as rates
        on rates.currency = payments.currency and rates.valid_on <= payments.booked_on
    qualify row_number() over (partition by payments.payment_id order by rates.valid_on desc nulls last) = 1
)

select
    rated.*,
    round(rated.amount::number(38, 2) * rated.rate_to_eur, 2)::number(38, 2) as amount_eur
from rated
