-- SPDX-License-Identifier: Apache-2.0
-- No row of a partition lies at or beyond the sink's next offset. Tables that were loaded without a sink have none.
with newest as (
    {% for kind in ['bars', 'option_bars', 'news', 'alerts', 'metrics', 'symbols', 'corporate_actions', 'feed_status', 'dead_letters'] %}
    select
        kafka_topic,
        kafka_partition,
        max(kafka_offset) as newest_offset
    from {{ ref('base_' ~ kind) }}
    group by kafka_topic, kafka_partition
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    n.kafka_topic,
    n.kafka_partition,
    n.newest_offset,
    o.next_offset
from newest as n
inner join (
    select
        topic,
        kafka_partition,
        max(next_offset) as next_offset
    from {{ ref('stg_sink_offsets') }}
    group by topic, kafka_partition
) as o
    on n.kafka_topic = o.topic and n.kafka_partition = o.kafka_partition
where n.newest_offset >= o.next_offset
