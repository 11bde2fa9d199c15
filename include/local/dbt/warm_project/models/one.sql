select id, kind from {{ source('raw', 'things') }}
