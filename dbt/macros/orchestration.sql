-- SPDX-License-Identifier: Apache-2.0
{#- Called by `dbt run-operation` from dags/. -#}
{#- For each question (table, first_day, last_day, bar_interval, adjusted, symbols): how many events of these symbols and days
    are in RAW, and how many became dead letters on their way; logged as JSON behind a mark. Revisions of an event count
    once; what the processor made itself does not. The symbol market:stocks stands for all. -#}
{% macro loaded_by_symbol(questions) %}
    {%- set answers = [] -%}
    {%- for question in questions %}
        {%- set rows = {} -%}
        {%- set letters = {} -%}
        {%- for row in run_query(_loaded_events(question)).rows %}{% do rows.update({row[0]: row[1] | int}) %}{% endfor -%}
        {%- for row in run_query(_refused_events(question)).rows %}{% do letters.update({row[0]: row[1] | int}) %}{% endfor -%}
        {%- do answers.append({'rows': rows, 'dead_letters': letters}) -%}
    {%- endfor -%}
    {%- do log('MARKETFLOW_ROWS ' ~ tojson({'answers': answers}), info=true) -%}
{% endmacro %}

{% macro _loaded_events(question) -%}
    {%- if question.table not in ['raw_bars', 'raw_option_bars'] -%}
        {{ exceptions.raise_compiler_error('loaded_by_symbol: no table ' ~ question.table) }}
    {%- endif -%}
    select {{ _symbol_key(question.symbols) }} as symbol_key, count(distinct dedupe_key) as events
    from {{ source('market_raw', question.table) }}
    where {{ _these_symbols_and_days(question) }}
        and source <> 'processor'
        and {{ json_text('payload', 'session_date') }} between '{{ question.first_day }}' and '{{ question.last_day }}'
        and {{ json_text('payload', 'interval') }} = '{{ question.bar_interval }}'
        {% if question.adjusted %}and {{ json_text('payload', 'adjusted') }} = '{{ question.adjusted }}'{% endif %}
    group by 1
{%- endmacro %}

{% macro _refused_events(question) -%}
    select {{ _symbol_key(question.symbols) }} as symbol_key, count(*) as events
    from {{ source('market_raw', 'raw_dead_letters') }}
    where {{ _these_symbols_and_days(question) }}
        and {{ json_text('payload', 'stage') }} <> 'ingest'
    group by 1
{%- endmacro %}

{% macro _symbol_key(symbols) -%} {{ "'market:stocks'" if symbols == ['market:stocks'] else 'symbol' }} {%- endmacro %}

{% macro _these_symbols_and_days(question) -%}
    {%- set names = [] -%}
    {%- for symbol in question.symbols %}{% do names.append("'" ~ (symbol | string | replace("'", "''")) ~ "'") %}{% endfor -%}
    {%- if question.symbols == ['market:stocks'] -%} true
    {%- else -%} symbol in ({{ names | join(', ') if names else "''" }})
    {%- endif %}
        and event_time >= cast('{{ question.first_day }}' as timestamp) - interval '2 days'
        and event_time < cast('{{ question.last_day }}' as timestamp) + interval '2 days'
{%- endmacro %}

{#- What a weekly quiet hour is for: rows that were replaced make room, and plans get fresh statistics. Snowflake does both
    by itself. -#}
{% macro maintain_warehouse() %}
    {{ return(adapter.dispatch('maintain_warehouse', 'marketflow')()) }}
{% endmacro %}

{% macro default__maintain_warehouse() %}
    {%- set tables = [] -%}
    {%- for node in graph.sources.values() %}
        {%- do tables.append([node.schema, node.identifier]) -%}
    {%- endfor -%}
    {%- for node in graph.nodes.values() if node.config.materialized in ('table', 'incremental', 'snapshot', 'seed') %}
        {%- do tables.append([node.schema, node.alias]) -%}
    {%- endfor -%}
    {#- VACUUM stands outside of transactions; the driver has begun one for the first statement. -#}
    {%- for schema, name in tables | sort %}
        {%- set relation = adapter.get_relation(database=target.database, schema=schema, identifier=name) -%}
        {%- if relation is not none and relation.is_table %}
            {%- call statement('leave_transaction', auto_begin=false) %}commit{% endcall -%}
            {%- call statement('maintain', auto_begin=false) %}vacuum (analyze) {{ relation }}{% endcall -%}
            {%- do log('maintained ' ~ relation, info=true) -%}
        {%- endif %}
    {%- endfor -%}
{% endmacro %}

{% macro snowflake__maintain_warehouse() %}
    {%- do log('nothing to do: the warehouse maintains itself', info=true) -%}
{% endmacro %}
