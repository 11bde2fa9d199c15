select
    (events.card_id::varchar || '/' || events.occurred_on::varchar)::varchar as card_day_id,
    events.card_id::number(38, 0) as card_id,
    events.occurred_on::date as occurred_on,
    count(*)::number(38, 0) as events,
    count_if(events.event_type = 'authorization')::number(38, 0) as authorizations,
    count_if(events.event_type = 'decline')::number(38, 0) as declines,
    count_if(events.event_type = 'authorization' and events.merchant_country <> customers.country)::number(38, 0)
        as authorizations_abroad,
    max(events.occurred_at)::timestamp_ntz as last_event_at
from {{ ref('stg_card_events') }} as events
inner join {{ ref('stg_cards') }} as cards on cards.card_id = events.card_id
inner join {{ ref('stg_accounts') }} as accounts on accounts.account_id = cards.account_id
inner join {{ ref('stg_customers') }} as customers on customers.customer_id = accounts.customer_id
group by events.card_id, events.occurred_on
