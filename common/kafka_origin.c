// SPDX-License-Identifier: Apache-2.0
// A pure function of its arguments.
#include "common/kafka_origin.h"

#include <inttypes.h>
#include <stdio.h>

void mf_kafka_origin_headers(const struct mf_origin *origin, struct mf_origin_texts *texts,
                             struct mf_kafka_header headers[MF_ORIGIN_HEADERS])
{
    assert(origin->topic.data != NULL);
    snprintf(texts->partition, sizeof texts->partition, "%" PRId64, origin->partition);
    snprintf(texts->offset, sizeof texts->offset, "%" PRId64, origin->offset);
    snprintf(texts->timestamp, sizeof texts->timestamp, "%" PRId64, origin->timestamp_ms);
    headers[0] = (struct mf_kafka_header){MF_HEADER_ORIGIN_TOPIC, origin->topic};
    headers[1] = (struct mf_kafka_header){MF_HEADER_ORIGIN_PARTITION, mf_str_of(texts->partition)};
    headers[2] = (struct mf_kafka_header){MF_HEADER_ORIGIN_OFFSET, mf_str_of(texts->offset)};
    headers[3] = (struct mf_kafka_header){MF_HEADER_ORIGIN_TIMESTAMP, mf_str_of(texts->timestamp)};
}
