{{ config(materialized='incremental', incremental_strategy='merge', unique_key='payment_id', on_schema_change='fail') }}

-- New is what is not in the table yet, not what lies behind a watermark: so a day that comes late, or days that come in any
-- order, leave the same table.
select
    payments.payment_id::number(38, 0) as payment_id,
    payments.account_id::number(38, 0) as account_id,
    accounts.customer_id::number(38, 0) as customer_id,
    payments.card_id::number(38, 0) as card_id,
    payments.merchant_id::number(38, 0) as merchant_id,
    merchants.category_code::varchar as merchant_category,
    payments.amount::number(18, 2) as amount,
    payments.currency::varchar as currency,
    payments.amount_eur::number(38, 2) as amount_eur,
    payments.method::varchar as method,
    payments.status::varchar as status,
    payments.booked_at::timestamp_ntz as booked_at,
    payments.booked_on::date as booked_on,
    payments.updated_at::timestamp_ntz as updated_at
from {{ ref('int_payments_in_euro') }} as payments
inner join {{ ref('stg_accounts') }} as accounts on accounts.account_id = payments.account_id
left join {{ ref('stg_merchants') }} as merchants on merchants.merchant_id = payments.merchant_id
{% if is_incremental() %}
left join {{ this }} as known
    on known.payment_id = payments.payment_id
    and known.updated_at = payments.updated_at
    and known.customer_id = accounts.customer_id
    and equal_null(known.merchant_category, merchants.category_code)
    and equal_null(known.amount_eur, payments.amount_eur)
where known.payment_id is null
{% endif %}
