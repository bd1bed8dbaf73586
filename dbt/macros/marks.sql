-- SPDX-License-Identifier: Apache-2.0
{#- Up to where each table is built. A table that stands on several holds everything that was loaded up to the least of
    theirs, whatever else of it is newer: one of them may have been built in a run that failed at the other, or at another
    hour. The newest loaded_at of its own rows cannot say that. -#}

{% macro build_marks() -%} {{ generate_schema_name('staging', none) }}.build_marks {%- endmacro %}

{#- What of RAW a run takes is found once, before its models: all typed tables of a run are of that moment. -#}
{% macro this_run() -%} run {{ invocation_id }} {%- endmacro %}

{% macro begin_marks() -%}
    {%- if execute and flags.WHICH in ['run', 'build', 'retry'] -%}
        {%- do run_query(
            'create table if not exists ' ~ build_marks() ~ ' (mark_name varchar(200), loaded_through timestamp, run_started_at timestamp)'
        ) -%}
        {#- Of RAW only what came since is looked at: its index on loaded_at finds that. -#}
        {%- set known = run_query(
            "select 'at ' || cast(coalesce(max(loaded_through), cast('1900-01-01' as timestamp)) as varchar) as known from "
            ~ build_marks() ~ " where mark_name like 'run %'"
        ).columns[0].values()[0][3:] -%}
        {%- do run_query('delete from ' ~ build_marks() ~ " where mark_name like 'run %' and run_started_at < cast('"
            ~ (run_started_at - modules.datetime.timedelta(days=2)).strftime('%Y-%m-%d %H:%M:%S') ~ "' as timestamp)"
            ~ " and loaded_through < cast('" ~ known ~ "' as timestamp)") -%}
        insert into {{ build_marks() }} (mark_name, loaded_through, run_started_at)
        select
            '{{ this_run() }}',
            max(loaded_through),
            cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}' as timestamp)
        from (
            select cast('{{ known }}' as timestamp) as loaded_through
            {%- for node in graph.sources.values() if node.source_name == 'market_raw' %}
            union all
            select max({{ utc('loaded_at') }})
            from {{ node.schema }}.{{ node.identifier }}
            where loaded_at <= {{ raw_cutoff() }} and loaded_at > {{ raw_time("cast('" ~ known ~ "' as timestamp)") }}
            {%- endfor %}
        ) as newest
    {%- endif -%}
{%- endmacro %}

{#- The marks that a node's own is the least of: those of the tables it reads, through views; of RAW that of the run. -#}
{% macro marks_below(node) -%}
    {%- set found = [] -%}
    {%- for name in node.depends_on.nodes -%}
        {%- if name in graph.sources -%}
            {%- if graph.sources[name].source_name == 'market_raw' -%}{%- do found.append(this_run()) -%}{%- endif -%}
        {%- elif name in graph.nodes and graph.nodes[name].resource_type == 'model' -%}
            {%- set parent = graph.nodes[name] -%}
            {%- if parent.config.materialized in ('table', 'incremental') -%}
                {%- do found.append(parent.alias) -%}
            {%- else -%}
                {%- do found.extend(marks_below(parent)) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found | unique | list) }}
{%- endmacro %}

{#- Both after the table was made, in its transaction where there is one. -#}
{% macro forget_mark() -%}
    {%- if config.get('materialized') in ('table', 'incremental') -%}
        delete from {{ build_marks() }} where mark_name = '{{ this.identifier }}'
    {%- endif -%}
{%- endmacro %}

{#- A mark that is not there is of a table built before there were any: it may lack anything. -#}
{% macro set_mark() -%}
    {%- if execute and config.get('materialized') in ('table', 'incremental') -%}
        {%- set below = marks_below(graph.nodes[model.unique_id]) or [this_run()] -%}
        insert into {{ build_marks() }} (mark_name, loaded_through, run_started_at)
        select
            '{{ this.identifier }}',
            case when count(*) = {{ below | length }} then min(loaded_through) else cast('1900-01-01' as timestamp) end,
            cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}' as timestamp)
        from {{ build_marks() }}
        where mark_name in ('{{ below | join("', '") }}')
    {%- endif -%}
{%- endmacro %}
