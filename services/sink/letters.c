// SPDX-License-Identifier: Apache-2.0
// Dead letters: made, sent, waited for. A letter that cannot be sent is not lost: its record is read again.
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/kafka_origin.h"
#include "services/sink/sink.h"

// ---- what the log says of a letter

// Where its record was read, and its event_id where it is known. Returns how many fields.
#define LETTER_FIELDS 4
static size_t describe(const struct snk_letter *letter, struct mf_log_field fields[LETTER_FIELDS])
{
    fields[0] = mf_lf_str("topic", letter->topic);
    fields[1] = mf_lf_i64("partition", letter->partition);
    fields[2] = mf_lf_i64("offset", letter->offset);
    fields[3] = mf_lf_str("correlation_id", letter->event_id);
    return letter->event_id[0] != '\0' ? LETTER_FIELDS : LETTER_FIELDS - 1;
}

static struct snk_letter letter_of(struct snk_sink *sink, const struct snk_record *record)
{
    struct snk_letter letter = {
        .topic = record->topic, .partition = record->partition, .offset = record->offset};
    snk_record_event_id(sink->checker, record->value, letter.event_id);
    return letter;
}

static void log_problem(struct snk_sink *sink, const char *event, const struct snk_letter *letter,
                        const struct mf_error *err, const char *doing)
{
    struct mf_log_field fields[LETTER_FIELDS + 2] = {
        mf_lf_str("error_class", mf_error_class_name(err->class)), mf_lf_str("error_code", err->code)};
    size_t count = 2 + (letter != NULL ? describe(letter, fields + 2) : 0);
    mf_log_write(sink->service->log, MF_LOG_WARNING, "sink", event, fields, count, "%s: %s", doing,
                 err->message);
}

void snk_log_refused(struct snk_sink *sink, const struct snk_record *record, const struct mf_error *refused,
                     const char *consequence)
{
    struct snk_letter letter = letter_of(sink, record);
    log_problem(sink, "record_refused", &letter, refused, consequence);
}

// ---- sending

// The letter's number stands for it.
static void *token_of(uint64_t number)
{
    return (void *)(uintptr_t)number;
}

// The last acknowledgement lets the flush go on.
static void on_delivery(void *arg, const struct mf_kafka_delivery *delivery)
{
    struct snk_sink *sink = arg;
    struct snk_letters *letters = &sink->letters;
    uint64_t number = (uint64_t)(uintptr_t)delivery->opaque;
    if (number <= letters->older_batch)
        return;
    assert(letters->pending > 0);
    letters->pending--;
    letters->pending_since_us = mf_clock_monotonic_us();
    if (delivery->error != NULL) {
        const struct snk_letter *letter = &letters->recent[number % SNK_LETTERS_KEPT];
        letters->failed = true;
        log_problem(sink, "dead_letter_failed", letter->number == number ? letter : NULL, delivery->error,
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
    const struct mf_kafka_producer_ops ops = {.on_delivery = on_delivery, .on_fatal = on_fatal, .arg = sink};
    return mf_kafka_producer_new(&sink->kafka, NULL, &ops, &sink->letters.producer, err);
}

// The origin of the record as headers, so that it can be replayed without parsing the letter.
static int produce(struct snk_sink *sink, const struct snk_record *record, struct mf_error *err)
{
    struct snk_letters *letters = &sink->letters;
    const struct mf_origin origin = snk_record_origin(record);
    struct mf_origin_texts texts = {0};
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
                            token_of(letters->sent + 1), err);
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
    struct snk_letter letter = letter_of(sink, record);
    struct mf_error err;
    log_problem(sink, "record_refused", &letter, refused, "to the dead-letter queue");
    if (send(sink, record, refused, attempts, &err) != 0) {
        letters->failed = true;
        log_problem(sink, "dead_letter_failed", &letter, &err,
                    "queueing a dead letter; its record will be read again");
        if (err.class == MF_ERROR_FATAL || err.class == MF_ERROR_POISON)
            snk_fail(sink, &err, "queueing a dead letter");
        return;
    }
    letter.number = ++letters->sent;
    letters->recent[letter.number % SNK_LETTERS_KEPT] = letter;
    if (letters->pending++ == 0)
        letters->pending_since_us = mf_clock_monotonic_us();
    mf_metric_add(MF_METRIC(sink->service->metrics, &mf_common_metrics[MF_M_DEAD_LETTERS], record->topic,
                            refused->code),
                  1);
    SNK_COUNT(sink, SNK_M_ROWS, 1, snk_tables[record->table].name, "rejected");
}
