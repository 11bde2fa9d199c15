-- Rounding nowhere: a settlement line's parts add up to the cent.
select settlement_line_id
from {{ ref('fct_settlements') }}
where net_amount + fee <> amount
