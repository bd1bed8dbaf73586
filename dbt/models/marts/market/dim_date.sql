-- SPDX-License-Identifier: Apache-2.0
-- Days, with what the US stock exchanges do on them.
with days as (
    {{ date_spine(var('dim_date_from'), var('dim_date_to')) }}
),

numbered as (
    select
        d.date_day,
        c.session_date,
        c.open_time,
        c.close_time,
        c.is_early_close
    from days as d
    left join {{ ref('exchange_calendar') }} as c
        on d.date_day = c.session_date
)

select
    date_day,
    cast(extract(year from date_day) as integer) as calendar_year,
    cast(extract(quarter from date_day) as integer) as calendar_quarter,
    cast(extract(month from date_day) as integer) as calendar_month,
    cast(extract(day from date_day) as integer) as day_of_month,
    cast({{ iso_weekday('date_day') }} as integer) as iso_weekday,
    {{ iso_weekday('date_day') }} in (6, 7) as is_weekend,
    session_date is not null as is_session,
    coalesce(is_early_close, false) as is_early_close,
    open_time as session_open_time,
    close_time as session_close_time,
    max(session_date) over (order by date_day rows between unbounded preceding and 1 preceding) as previous_session_date,
    -- Backwards: a frame that ends at the last row would be summed up anew for every row.
    min(session_date) over (order by date_day desc rows between unbounded preceding and 1 preceding) as next_session_date
from numbered
