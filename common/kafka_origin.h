// SPDX-License-Identifier: Apache-2.0
// Where a dead letter's record was read, as headers of the letter: it can be replayed without parsing the
// letter. Nothing is owned; nothing can fail.
#ifndef MF_KAFKA_ORIGIN_H
#define MF_KAFKA_ORIGIN_H

#include "event.h"
#include "kafka.h"

#define MF_ORIGIN_HEADERS 4

// The numbers as text; the headers below point into it.
struct mf_origin_texts {
    char partition[24], offset[24], timestamp[24];
};

// Writes mf-origin-topic, -partition, -offset and -timestamp to headers[0 .. MF_ORIGIN_HEADERS - 1], the
// numbers as the letter's origin has them. The origin is one with a topic (asserted). Valid as long as origin
// and texts.
void mf_kafka_origin_headers(const struct mf_origin *origin, struct mf_origin_texts *texts,
                             struct mf_kafka_header headers[MF_ORIGIN_HEADERS]);

#endif
