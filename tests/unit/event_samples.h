// SPDX-License-Identifier: Apache-2.0
// One event of every kind, for the tests of everything that handles events. Views are of literals.
#ifndef TESTS_EVENT_SAMPLES_H
#define TESTS_EVENT_SAMPLES_H

#include "common/event.h"

enum event_sample {
    SAMPLE_BAR,         // a minute bar of a feed, with every optional field
    SAMPLE_BAR_BARE,    // a day bar, without any
    SAMPLE_BAR_DERIVED, // made by the processor
    SAMPLE_OPTION_BAR,
    SAMPLE_OPTION_SNAPSHOT, // a day bar with all that is known of the contract
    SAMPLE_NEWS,
    SAMPLE_NEWS_BARE,
    SAMPLE_SYMBOL,
    SAMPLE_SYMBOL_BARE,
    SAMPLE_SPLIT,
    SAMPLE_DIVIDEND,
    SAMPLE_TICKER_CHANGE,
    SAMPLE_FEED_STATUS,
    SAMPLE_HEARTBEAT,
    SAMPLE_LANE_END,
    SAMPLE_METRIC,
    SAMPLE_METRIC_COLD,
    SAMPLE_ALERT,
    SAMPLE_ALERT_RESOLVED,
    SAMPLE_ALERT_NEWS,
    SAMPLE_ALERT_OPTION,
    SAMPLE_DEAD_LETTER,        // of a Kafka record
    SAMPLE_DEAD_LETTER_INGEST, // of a provider's answer
    SAMPLE_DEAD_LETTER_CUT,    // of a record too large to be kept whole
    SAMPLE_MAX
};

const char *event_sample_name(enum event_sample sample);
void event_sample_fill(enum event_sample sample, struct mf_event *event);

// 2024-01-02 09:30 in New York.
#define SAMPLE_OPEN_US INT64_C(1704205800000000)

#endif
