{# A model's schema is the one it names, wherever the project is built: databases keep the places apart, not prefixes. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim | upper }}
{%- endmacro %}
