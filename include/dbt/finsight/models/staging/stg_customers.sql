select
    customer_id,
    referrer_id,
    trim(full_name) as full_name,
    lower(nullif(trim(email), '')) as email,
    nullif(trim(phone), '') as phone,
    birth_date,
    city,
    postal_code,
    country,
    segment,
    coalesce(marketing_opt_in, false) as marketing_opt_in,
    created_at,
    updated_at
from {{ source('raw', 'customers') }}
{{ latest('customer_id', 'updated_at') }}
