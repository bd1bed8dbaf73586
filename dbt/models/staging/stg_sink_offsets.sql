-- SPDX-License-Identifier: Apache-2.0
-- Where each sink group goes on reading; times in UTC.
select
    consumer_group,
    topic,
    cast(kafka_partition as integer) as kafka_partition,
    cast(next_offset as bigint) as next_offset,
    cast(owner_epoch as bigint) as owner_epoch,
    owner_instance,
    {{ utc('updated_at') }} as updated_at
from {{ source('ops', 'sink_offsets') }}
