-- The card number ends here: nothing behind staging needs more than its last four digits.
select
    card_id,
    account_id,
    right(pan, 4) as last_four,
    network,
    status,
    expires_on,
    created_at,
    updated_at
from {{ source('raw', 'cards') }}
{{ latest('card_id', 'updated_at') }}
