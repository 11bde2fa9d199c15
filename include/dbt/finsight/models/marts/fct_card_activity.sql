-- What happened with each card of ours on each day; abroad is another country than the customer's.
select
    (card_events.card_id::varchar || '/' || card_events.occurred_on::varchar)::varchar as card_day_id,
    card_events.card_id::number(38, 0) as card_id,
    card_events.occurred_on::date as occurred_on,
    count(*)::number(38, 0) as event_count,
    count_if(card_events.event_type = 'authorization')::number(38, 0) as authorization_count,
    count_if(card_events.event_type = 'decline')::number(38, 0) as decline_count,
    count_if(card_events.event_type = 'authorization' and card_events.merchant_country <> customers.country)::number(38, 0)
        as abroad_count,
    max(card_events.occurred_at)::timestamp_ntz as last_event_at
from {{ ref('stg_card_events') }} as card_events
inner join {{ ref('stg_cards') }} as cards on cards.card_id = card_events.card_id
inner join {{ ref('stg_accounts') }} as accounts on accounts.account_id = cards.account_id
inner join {{ ref('stg_customers') }} as customers on customers.customer_id = accounts.customer_id
group by card_events.card_id, card_events.occurred_on
