-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['symbol', 'trade_date'],
        indexes=[{'columns': ['symbol', 'trade_date'], 'unique': true}, {'columns': ['loaded_at']}]
    )
}}
-- The mood of a symbol's news, by day in UTC. A label counts -1, 0 or 1 where the provider gives no number; articles
-- of one address count once, also when several providers have them: one with a mood before one without, then the newest.
with news as (
    select
        n.*,
        {{ utc_date('n.event_time') }} as trade_date
    from {{ ref('stg_raw_news') }} as n
    where not n.is_mock
),

relevant as (
    {{ changed_rows('news', ['symbol', 'trade_date']) }}
),

scored as (
    select
        symbol,
        trade_date,
        url_hash,
        coalesce(
            sentiment_score,
            case lower(sentiment_label)
                when 'positive' then 1 when 'bullish' then 1 when 'somewhat-bullish' then 0.5
                when 'negative' then -1 when 'bearish' then -1 when 'somewhat-bearish' then -0.5
                when 'neutral' then 0
            end
        ) as score,
        coalesce(sentiment_relevance, 1) as relevance,
        ingest_time,
        event_id,
        max(loaded_at) over (partition by symbol, trade_date, url_hash) as loaded_at
    from relevant
),

articles as (
    {{ dedupe_latest(
        'scored', ['symbol', 'trade_date', 'url_hash'],
        ['case when score is null then 1 else 0 end', 'ingest_time desc', 'event_id']
    ) }}
)

select
    symbol,
    trade_date,
    cast(count(*) as bigint) as article_count,
    cast(count(score) as bigint) as scored_count,
    cast(sum(case when score > 0 then 1 else 0 end) as bigint) as positive_count,
    cast(sum(case when score < 0 then 1 else 0 end) as bigint) as negative_count,
    avg(cast(score as double precision)) as sentiment_mean,
    {{ safe_divide(
        'sum(cast(score * relevance as double precision))',
        'sum(cast(case when score is not null then relevance end as double precision))'
    ) }} as sentiment_weighted,
    max(loaded_at) as loaded_at
from articles
group by symbol, trade_date
