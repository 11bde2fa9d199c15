{{ config(materialized='incremental', unique_key='id', tags=['warm']) }}
select id from {{ ref('one') }}{% if is_incremental() %} where id > (select max(id) from {{ this }}){% endif %}
