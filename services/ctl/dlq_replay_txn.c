// SPDX-License-Identifier: Apache-2.0
// The transactions of a replay: the records, and the position in the dead-letter topic after them. A kill at
// any instant leaves both or neither, so the same command goes on with the next letter. Failure classes:
// those of kafka.h; after TRANSIENT and UNCERTAIN the command is given again.
#include <inttypes.h>
#include <stdlib.h>

#include "services/ctl/dlq_replay.h"

// The record as it was: its bytes to its partition, with the headers it had, and where it was.
static int produce(struct ctl_replay_run *run, const struct ctl_letter *letter, struct mf_error *err)
{
    const struct mf_dead_letter *content = letter->content;
    char topic[260], partition[24], offset[24], timestamp[24], replayed[320], scratch[MF_EVENT_KEY_MAX];
    size_t size = 0;
    if (!mf_base64_decode(content->raw, run->raw, MF_DEAD_LETTER_RAW_MAX, &size) ||
        !mf_str_copy(topic, sizeof topic, content->origin.topic))
        return mf_error_set(err, MF_ERROR_FATAL, "bad_dead_letter", "a letter that was read cannot be used");
    struct mf_str value = {(const char *)run->raw, size}, key = MF_STR_NULL;
    // A record that was no event had some key: none is as good, as its partition is known.
    if (mf_event_decode(run->raw_json, value, run->raw_event, NULL, NULL) == 0)
        key = mf_event_key(run->raw_event, scratch);
    snprintf(partition, sizeof partition, "%" PRId64, content->origin.partition);
    snprintf(offset, sizeof offset, "%" PRId64, content->origin.offset);
    snprintf(timestamp, sizeof timestamp, "%" PRId64, content->origin.timestamp_ms);
    snprintf(replayed, sizeof replayed, "%s/%" PRId32 "/%" PRId64, run->topic, letter->partition,
             letter->offset);
    struct mf_kafka_header headers[7] = {{MF_HEADER_REPLAYED, mf_str_of(replayed)},
                                         {MF_HEADER_ORIGIN_TOPIC, content->origin.topic},
                                         {MF_HEADER_ORIGIN_PARTITION, mf_str_of(partition)},
                                         {MF_HEADER_ORIGIN_OFFSET, mf_str_of(offset)},
                                         {MF_HEADER_ORIGIN_TIMESTAMP, mf_str_of(timestamp)}};
    size_t count = 5;
    if (letter->revision_header.data != NULL)
        headers[count++] = (struct mf_kafka_header){MF_HEADER_REVISION, letter->revision_header};
    if (letter->flags_header.data != NULL)
        headers[count++] = (struct mf_kafka_header){MF_HEADER_FLAGS, letter->flags_header};
    return mf_kafka_produce(run->producer,
                            &(struct mf_kafka_record){.topic = topic,
                                                      .partition = (int32_t)content->origin.partition,
                                                      .key = key,
                                                      .value = value,
                                                      .headers = headers,
                                                      .header_count = count},
                            NULL, err);
}

int ctl_replay_take(struct ctl_replay_run *run, const struct mf_kafka_message *message, struct mf_error *err)
{
    struct ctl_letter letter;
    ctl_letter_read(message, run->json, run->event, &letter);
    bool fits = ctl_letter_fits(&run->filter, &letter);
    enum ctl_replay verdict = fits ? ctl_letter_replay(&letter, run->settings) : CTL_REPLAY_MAX;
    if (!run->dry_run && !run->open) {
        if (mf_kafka_txn_begin(run->producer, err) != 0)
            return -1;
        run->open = true;
    }
    if (!run->dry_run && verdict == CTL_REPLAY_YES) {
        if (produce(run, &letter, err) != 0)
            return mf_error_prefix(err, "letter %" PRId32 ":%" PRId64, letter.partition, letter.offset);
        run->open_count++;
    }
    if (verdict == CTL_REPLAY_MAX)
        run->open_other++;
    else
        run->open_by[verdict]++;
    run->partitions[message->partition].pending = message->offset + 1;
    return 0;
}

static void forget_open(struct ctl_replay_run *run)
{
    run->open = false;
    run->open_count = run->open_other = 0;
    memset(run->open_by, 0, sizeof run->open_by);
    for (size_t p = 0; p < run->partition_count; p++)
        run->partitions[p].pending = -1;
}

void ctl_replay_abort(struct ctl_replay_run *run)
{
    struct mf_error err;
    if (run->open && mf_kafka_txn_abort(run->producer, &err) != 0)
        ctl_replay_stop(run, &err);
    forget_open(run);
}

// What is in the transaction has happened.
static void book(struct ctl_replay_run *run)
{
    for (size_t p = 0; p < run->partition_count; p++) {
        if (run->partitions[p].pending >= 0)
            run->partitions[p].done = run->partitions[p].pending;
    }
    for (size_t i = 0; i < CTL_REPLAY_MAX; i++)
        run->by[i] += run->open_by[i];
    run->other += run->open_other;
    forget_open(run);
}

static int commit_open(struct ctl_replay_run *run, struct mf_error *err)
{
    struct mf_kafka_offset *offsets = mf_calloc(run->partition_count, sizeof *offsets);
    size_t count = 0;
    for (size_t p = 0; p < run->partition_count; p++) {
        if (run->partitions[p].pending >= 0)
            offsets[count++] = (struct mf_kafka_offset){run->topic, (int32_t)p, run->partitions[p].pending};
    }
    int timeout_ms = (int)mf_settings_integer(run->settings, "KAFKA_TRANSACTION_TIMEOUT_MS");
    int result = mf_kafka_producer_flush(run->producer, timeout_ms, err);
    if (result == 0 && mf_kafka_producer_failed(run->producer) > 0)
        result = mf_error_set(err, MF_ERROR_TRANSIENT, "txn_abort", "the broker refused a record");
    if (result == 0)
        result = mf_kafka_txn_send_offsets(run->producer, run->consumer, offsets, count, err);
    if (result == 0)
        result = mf_kafka_txn_commit(run->producer, err);
    free(offsets);
    return result;
}

int ctl_replay_commit(struct ctl_replay_run *run, struct mf_error *err)
{
    bool moved = false;
    for (size_t p = 0; p < run->partition_count; p++)
        moved = moved || run->partitions[p].pending >= 0;
    if (!moved)
        return 0;
    if (!run->dry_run && !run->open) {
        // The end of a partition was reached without a letter.
        if (mf_kafka_txn_begin(run->producer, err) != 0)
            return -1;
        run->open = true;
    }
    if (!run->dry_run && commit_open(run, err) != 0)
        return -1;
    book(run);
    ctl_progress(&run->progress, "%" PRIu64 " replayed, %" PRId64 " offsets of %s to go",
                 run->by[CTL_REPLAY_YES], ctl_replay_left(run), run->topic);
    return 0;
}
