select
    account_id,
    customer_id,
    iban,
    currency,
    kind,
    status,
    balance,
    opened_on,
    created_at,
    updated_at
from {{ source('raw', 'accounts') }}
{{ latest('account_id', 'updated_at') }}
