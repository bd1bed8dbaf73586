-- SPDX-License-Identifier: Apache-2.0
-- Bars of option contracts as polygon has them. The contract's symbol of the OCC is taken apart (root, date, right,
-- strike in thousandths) beside what the event says of the contract; is_symbol_consistent tells whether they agree
-- (a ticker that is too short to be taken apart does not).
with parsed as (
    select
        b.*,
        case when length(b.contract_ticker) > 15 then substring(b.contract_ticker, length(b.contract_ticker) - 14, 6) end as occ_date,
        case when length(b.contract_ticker) > 15 then substring(b.contract_ticker, length(b.contract_ticker) - 8, 1) end as occ_right,
        case when length(b.contract_ticker) > 15 then substring(b.contract_ticker, length(b.contract_ticker) - 7, 8) end as occ_strike,
        case
            when length(b.contract_ticker) > 15
                then replace(substring(b.contract_ticker, 1, length(b.contract_ticker) - 15), 'O:', '')
        end as occ_root
    from {{ ref('stg_raw_option_bars') }} as b
    where b.source = 'polygon'
),

typed as (
    select
        parsed.*,
        {{ try_date("'20' || substring(occ_date, 1, 2) || '-' || substring(occ_date, 3, 2) || '-' || substring(occ_date, 5, 2)") }} as occ_expiration_date,
        case occ_right when 'C' then 'call' when 'P' then 'put' end as occ_option_type,
        cast({{ try_numeric('occ_strike') }} / 1000 as {{ type_price() }}) as occ_strike_price
    from parsed
)

select
    event_id,
    symbol,
    contract_ticker,
    underlying,
    expiration_date,
    strike_price,
    option_type,
    shares_per_contract,
    exercise_style,
    days_to_expiration,
    occ_root,
    occ_expiration_date,
    occ_option_type,
    occ_strike_price,
    coalesce(
        occ_expiration_date = expiration_date and occ_option_type = option_type and occ_strike_price = strike_price,
        false
    ) as is_symbol_consistent,
    bar_interval,
    event_time,
    window_end,
    trade_date,
    session_kind,
    adjusted,
    open_price,
    high_price,
    low_price,
    close_price,
    volume,
    vwap,
    trade_count,
    pre_market_price,
    after_hours_price,
    is_mock,
    is_forming,
    revision,
    lane,
    ingest_time,
    loaded_at
from typed
