select
    currency,
    rate_to_eur,
    landed_on as valid_on
from {{ source('raw', 'fx_rates') }}
