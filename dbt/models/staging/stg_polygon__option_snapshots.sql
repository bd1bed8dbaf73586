-- SPDX-License-Identifier: Apache-2.0
-- What polygon knew of an option contract at a moment: open interest, volatility, sensitivities. Every moment that was
-- asked about, whatever came of the day's bar since. trade_date is that of the contract's newest bar then, which may be
-- some days before.
select
    event_id,
    symbol,
    contract_ticker,
    underlying,
    expiration_date,
    strike_price,
    option_type,
    snapshot_time,
    trade_date,
    close_price,
    volume,
    open_interest,
    implied_volatility,
    delta,
    gamma,
    theta,
    vega,
    underlying_price,
    is_mock,
    is_forming,
    revision,
    lane,
    ingest_time,
    loaded_at
from {{ ref('base_option_bars') }}
where snapshot_time is not null and source = 'polygon' and not is_reject
