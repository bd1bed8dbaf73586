-- SPDX-License-Identifier: Apache-2.0
-- What is known of each instrument now: the newest event of it.
with events as (
    select
        symbol,
        asset_class,
        security_name,
        exchange,
        security_type,
        currency,
        figi,
        list_date,
        delist_date,
        is_active,
        source,
        event_id,
        event_time,
        ingest_time,
        loaded_at
    from {{ ref('raw_symbol_metadata') }}
    where not is_mock
)

{{ dedupe_latest('events', ['symbol'], ['event_time desc', 'ingest_time desc', 'event_id']) }}
