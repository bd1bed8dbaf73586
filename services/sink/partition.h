// SPDX-License-Identifier: Apache-2.0
// What the sink knows of one assigned partition. Plain values, kept by the engine, read by the pure parts.
#ifndef SNK_PARTITION_H
#define SNK_PARTITION_H

#include "services/sink/breaker.h"
#include "services/sink/table.h"

#define SNK_POISON_LIMIT_MAX 100

struct snk_partition {
    enum snk_table table;
    const char *topic; // owned by the sink
    int32_t number;

    bool acquired; // the warehouse gave us epoch and stored; before that nothing is taken from it
    int64_t epoch;
    int64_t stored;   // next_offset as the warehouse has it
    int64_t position; // everything below is in the batch, dead-lettered, or no record at all

    // The record that the warehouse says was the last one, to be recognised when it is read again.
    bool verify;
    int64_t last_offset;
    char last_event_id[MF_EVENT_ID_SIZE];

    bool excluded;  // takes no part in the rest of this flush: its rows are dropped and read again later
    bool must_seek; // the consumer is not at `position`; what it hands out meanwhile is dropped
    int64_t short_since_us; // monotonic time since which the log ends below `stored`; 0 = it does not
    int64_t committed;      // offset last told to the group, for lag tools

    // Bisections that found rows of it: the number of the last one, and the monotonic times of the last ones,
    // a ring of the limit's size.
    uint64_t bisection;
    int64_t bisected_us[SNK_POISON_LIMIT_MAX];
    unsigned bisected_at, bisected_count;
    struct snk_breaker breaker; // open: there were too many of them, the partition is paused
    int64_t stopped_at;         // `stored` when it opened; beyond it the breaker closes
};

#endif
