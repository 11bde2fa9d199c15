select
    payment_id,
    account_id,
    card_id,
    merchant_id,
    amount,
    currency,
    method,
    status,
    nullif(trim(note), '') as note,
    booked_at,
    booked_at::date as booked_on,
    created_at,
    updated_at
from {{ source('raw', 'payments') }}
{{ latest('payment_id', 'updated_at') }}
