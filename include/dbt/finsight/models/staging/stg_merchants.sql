select
    merchant_id,
    name as merchant_name,
    category_code,
    country,
    created_at,
    updated_at
from {{ source('raw', 'merchants') }}
{{ latest('merchant_id', 'updated_at') }}
