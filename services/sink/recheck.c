// SPDX-License-Identifier: Apache-2.0
// Asks the offset rows whether they are still what we think: after each new session, and when nothing was
// written for a while. Owns nothing; failures hold the loader, as those of any other statement.
#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "services/sink/sink.h"

void snk_rejoin(struct snk_sink *sink)
{
    for (size_t i = 0; i < sink->partition_count; i++)
        sink->partitions[i].acquired = false;
    snk_forget_batch(sink);
    sink->rejoining = true;
    mf_kafka_consumer_rejoin(sink->consumer);
}

// Own epoch, another offset: what was stored there is what is read from. Which event was the last one is not
// known here.
static void go_back(struct snk_sink *sink, struct snk_partition *p, int64_t next_offset)
{
    MF_LOGF(sink->service->log, MF_LOG_WARNING, "sink", "stored_offset_moved",
            MF_FIELDS(mf_lf_str("topic", p->topic), mf_lf_i64("partition", p->number)),
            "the warehouse has offset %" PRId64 " of %s[%d], where %" PRId64
            " was stored: it lost its last commits, or somebody moved the offset; reading on from there",
            next_offset, p->topic, p->number, p->stored);
    p->stored = next_offset;
    p->last_offset = -1;
}

// From the rows to partitions that go back (true in *behind). False when one is not ours any more.
static bool compare(struct snk_sink *sink, const struct snk_offset_row *rows, bool *behind)
{
    for (size_t i = 0; i < sink->flush.move_count; i++) {
        struct snk_partition *p = &sink->partitions[sink->flush.moves[i].partition];
        enum snk_verdict verdict = snk_judge(p, p->stored, rows[i].found, rows[i].epoch, rows[i].next_offset);
        if (verdict == SNK_FENCED || verdict == SNK_GONE) {
            SNK_LOG(sink, WARNING, "not_the_owner", "%s[%d] is %s in ops.sink_offsets", p->topic, p->number,
                    verdict == SNK_GONE ? "gone" : "another sink's");
            return false;
        }
        if (verdict == SNK_ELSEWHERE) {
            go_back(sink, p, rows[i].next_offset);
            *behind = true;
        }
    }
    return true;
}

bool snk_recheck(struct snk_sink *sink)
{
    assert(sink->phase == SNK_COLLECTING); // the flush's moves are used for the question
    struct snk_scope scope = snk_scope_of(sink);
    struct mf_error err;
    bool behind = false;
    snk_flush_ask(&sink->flush, &scope);
    struct snk_offset_row *rows = mf_calloc(sink->flush.move_count + 1, sizeof *rows);
    bool read = sink->flush.move_count == 0 ||
                snk_warehouse_read_offsets(sink->warehouse, &sink->flush, &scope, false, rows, &err) == 0;
    bool ours = read && compare(sink, rows, &behind);
    free(rows);
    if (!read) {
        snk_loader_held_by(sink, &err, "comparing the stored offsets");
        return false;
    }
    sink->recheck = false;
    sink->checked_us = mf_clock_monotonic_us();
    if (!ours)
        snk_rejoin(sink);
    else if (behind)
        snk_rewind(sink);
    return ours;
}
