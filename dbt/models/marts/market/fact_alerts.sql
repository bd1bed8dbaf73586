-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['alert_key'],
        indexes=[{'columns': ['alert_key']}, {'columns': ['loaded_at']}]
    )
}}
-- One row per alert, as it stands now: firing, or resolved with the reason.
select
    {{ surrogate_key(['a.dedupe_key']) }} as alert_key,
    a.event_id,
    a.symbol,
    a.asset_class,
    a.symbol_name,
    a.rule_id,
    a.rule_version,
    a.bar_interval,
    a.parent_source,
    a.severity,
    a.direction,
    a.event_time,
    {{ utc_date('a.event_time') }} as event_date,
    a.alert_value,
    a.threshold,
    coalesce(own.unit, general.unit) as unit,
    coalesce(own.formula, general.formula) as formula,
    a.message,
    a.alert_state,
    a.alert_state = 'firing' as is_firing,
    a.reason,
    a.resolved_time,
    a.cooldown_until,
    a.article_id,
    a.contract_ticker,
    a.cause,
    a.revision,
    a.lane,
    a.loaded_at
from {{ ref('stg_raw_alerts') }} as a
left join {{ ref('alert_rules') }} as own
    on a.rule_id = own.rule_id and a.bar_interval = own.threshold_interval
left join {{ ref('alert_rules') }} as general
    on a.rule_id = general.rule_id and general.threshold_interval = 'all'
where not a.is_mock
    {%- if is_incremental() %}
    and a.loaded_at > {{ watermark() }}
    {%- endif %}
