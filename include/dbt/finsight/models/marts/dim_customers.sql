with account_counts as (
    select
        customer_id,
        count(*) as account_count,
        count_if(status = 'open') as open_account_count
    from {{ ref('stg_accounts') }}
    group by customer_id
),

card_counts as (
    select
        accounts.customer_id,
        count_if(cards.status = 'active') as active_card_count
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
    coalesce(account_counts.account_count, 0)::number(38, 0) as account_count,
    coalesce(account_counts.open_account_count, 0)::number(38, 0) as open_account_count,
    coalesce(card_counts.active_card_count, 0)::number(38, 0) as active_card_count,
    customers.created_at::timestamp_ntz as created_at,
    customers.updated_at::timestamp_ntz as updated_at
from {{ ref('stg_customers') }} as customers
left join account_counts on account_counts.customer_id = customers.customer_id
left join card_counts on card_counts.customer_id = customers.customer_id
