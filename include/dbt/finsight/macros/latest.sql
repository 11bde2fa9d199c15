{# Keep the newest row per key; equal rows, loaded twice, count once. #}
{% macro latest(key, order) -%}
    qualify row_number() over (partition by {{ key }} order by {{ order }} desc) = 1
{%- endmacro %}
