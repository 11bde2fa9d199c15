with accounts as (
    select
        customer_id,
        count(*) as accounts,
        count_if(status = 'open') as open_accounts
    from {{ ref('stg_accounts') }}
    group by customer_id
),

cards as (
    select
        accounts.customer_id,
        count_if(cards.status = 'active') as active_cards
    from {{ ref('stg_cards') }} as cards
    inner join {{ ref('stg_accounts') }} as accounts on accounts.account_id = cards.account_id
    group by accounts.customer_id
)

select
    customers.customer_id::number(38, 0) as customer_id,
    customers.full_name::varchar as full_name,
    customers.email::varchar as email,
    customers.country::varchar as country,
    customers.segment::varchar as segment,
    customers.marketing_opt_in::boolean as marketing_opt_in,
    customers.referrer_id::number(38, 0) as referrer_id,
    coalesce(accounts.accounts, 0)::number(38, 0) as accounts,
    coalesce(accounts.open_accounts, 0)::number(38, 0) as open_accounts,
    coalesce(cards.active_cards, 0)::number(38, 0) as active_cards,
    customers.created_at::timestamp_ntz as created_at,
    customers.updated_at::timestamp_ntz as updated_at
from {{ ref('stg_customers') }} as customers
left join accounts on accounts.customer_id = customers.customer_id
left join cards on cards.customer_id = customers.customer_id
