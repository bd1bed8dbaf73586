// SPDX-License-Identifier: Apache-2.0
// Dead letters: made, sent, waited for. A letter that cannot be sent is not lost: its record is read again.
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/kafka_origin.h"
#include "services/sink/sink.h"

// The batch's generation stands for the letter: what became of older ones is of no interest.
static void *token_of(const struct snk_letters *letters)
{
    return (void *)(uintptr_t)letters->generation;
}

// The last acknowledgement lets the flush go on.
static void on_delivery(void *arg, const struct mf_kafka_delivery *delivery)
{
    struct snk_sink *sink = arg;
    struct snk_letters *letters = &sink->letters;
    if (delivery->opaque != token_of(letters))
        return;
    assert(letters->pending > 0);
    letters->pending--;
    letters->pending_since_us = mf_clock_monotonic_us();
    if (delivery->error != NULL) {
        letters->failed = true;
        mf_log_error(sink->service->log, MF_LOG_WARNING, "sink", "dead_letter_failed", delivery->error,
                     "sending a dead letter; its record will be read again");
    }
    if (letters->pending == 0)
        mf_deferred_schedule(sink->run);
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    snk_fail(arg, err, "sending dead letters");
}

int snk_letters_start(struct snk_sink *sink, struct mf_error *err)
{
    mf_buf_init(&sink->letters.text, MF_DEAD_LETTER_SIZE_MAX);
    sink->letters.generation = 1;
    const struct mf_kafka_producer_ops ops = {.on_delivery = on_delivery, .on_fatal = on_fatal, .arg = sink};
    return mf_kafka_producer_new(&sink->kafka, NULL, &ops, &sink->letters.producer, err);
}

// The origin of the record as headers, so that it can be replayed without parsing the letter.
static int produce(struct snk_sink *sink, const struct snk_record *record, struct mf_error *err)
{
    struct snk_letters *letters = &sink->letters;
    const struct mf_origin origin = snk_record_origin(record);
    struct mf_origin_texts texts;
    struct mf_kafka_header headers[MF_ORIGIN_HEADERS + 2];
    size_t count = MF_ORIGIN_HEADERS;
    char key[MF_EVENT_KEY_MAX];
    mf_kafka_origin_headers(&origin, &texts, headers);
    snprintf(key, sizeof key, "sink/%s/%s/%s", record->topic, texts.partition, texts.offset);
    if (record->revision_header.data != NULL)
        headers[count++] = (struct mf_kafka_header){MF_HEADER_REVISION, record->revision_header};
    if (record->flags_header.data != NULL)
        headers[count++] = (struct mf_kafka_header){MF_HEADER_FLAGS, record->flags_header};
    return mf_kafka_produce(letters->producer,
                            &(struct mf_kafka_record){.topic = sink->topics[SNK_TABLE_DEAD_LETTERS],
                                                      .partition = -1,
                                                      .key = mf_str_of(key),
                                                      .value = mf_buf_str(&letters->text),
                                                      .headers = headers,
                                                      .header_count = count},
                            token_of(letters), err);
}

// A letter that does not fit (into an event, into what the broker takes) keeps hash and size instead of the
// bytes.
static int send(struct snk_sink *sink, const struct snk_record *record, const struct mf_error *refused,
                unsigned attempts, struct mf_error *err)
{
    struct mf_buf *text = &sink->letters.text;
    mf_buf_clear(text);
    int result = snk_dead_letter(record, refused, attempts, text, err);
    if (result == 0)
        result = produce(sink, record, err);
    if (result == 0 || err->class != MF_ERROR_POISON)
        return result;
    mf_buf_clear(text);
    result = snk_dead_letter_digest(record, refused, text, err);
    return result == 0 ? produce(sink, record, err) : result;
}

void snk_letters_send(struct snk_sink *sink, const struct snk_record *record, const struct mf_error *refused,
                      unsigned attempts)
{
    assert(record->table != SNK_TABLE_DEAD_LETTERS);
    struct snk_letters *letters = &sink->letters;
    struct mf_error err;
    MF_LOGF(sink->service->log, MF_LOG_WARNING, "sink", "record_refused",
            MF_FIELDS(mf_lf_str("topic", record->topic), mf_lf_i64("partition", record->partition),
                      mf_lf_i64("offset", record->offset), mf_lf_str("error_code", refused->code)),
            "to the dead-letter queue: %s", refused->message);
    if (send(sink, record, refused, attempts, &err) != 0) {
        letters->failed = true;
        mf_log_error(sink->service->log, MF_LOG_WARNING, "sink", "dead_letter_failed", &err,
                     "queueing a dead letter; its record will be read again");
        if (err.class == MF_ERROR_FATAL || err.class == MF_ERROR_POISON)
            snk_fail(sink, &err, "queueing a dead letter");
        return;
    }
    if (letters->pending++ == 0)
        letters->pending_since_us = mf_clock_monotonic_us();
    mf_metric_add(MF_METRIC(sink->service->metrics, &mf_common_metrics[MF_M_DEAD_LETTERS], record->topic,
                            refused->code),
                  1);
    SNK_COUNT(sink, SNK_M_ROWS, 1, snk_tables[record->table].name, "rejected");
}
