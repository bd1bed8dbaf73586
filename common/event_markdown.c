// SPDX-License-Identifier: Apache-2.0
// The reference of docs/events.md, from the tables that read, check and write the events. Pure. The page's
// title and introduction are those of docs/generate.py.
#include <inttypes.h>
#include <stdio.h>

#include "common/event_table.h"
#include "common/topics.h"

static void add(struct mf_buf *out, const char *text)
{
    (void)mf_buf_add_c(out, text);
}

// ---- topics

static void add_retention(struct mf_buf *out, int64_t retention_ms)
{
    if (retention_ms < 0)
        add(out, "—");
    else
        (void)mf_buf_addf(out, "%" PRId64 " d", retention_ms / MF_DAYS_MS(1));
}

static void add_topics(struct mf_buf *out)
{
    add(out,
        "## Topics\n\n"
        "Names are settings. The topics with `KAFKA_PARTITIONS` partitions share that count, and a record's\n"
        "partition is murmur2 of its key modulo the count, as Java clients do it.\n\n"
        "| topic | setting | partitions | cleanup | retention | written by | carries |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < MF_TOPIC_MAX; i++) {
        const struct mf_topic_def *topic = &mf_topics[i];
        (void)mf_buf_addf(out, "| %s | `%s` | %s | %s | ", topic->default_name, topic->setting,
                          topic->partitions == MF_TOPIC_PARTITIONS_ONE ? "1" : "`KAFKA_PARTITIONS`",
                          topic->cleanup);
        add_retention(out, topic->retention_ms);
        (void)mf_buf_addf(out, " | %s | %s |\n", topic->written_by, topic->carries);
    }
}

// ---- fields

static void add_names(struct mf_buf *out, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++)
        (void)mf_buf_addf(out, "%s`%s`", i == 0 ? "" : " ", names[i]);
}

static void add_type(struct mf_buf *out, const struct mf_event_field *field)
{
    const struct mf_field_kind *kind = field->kind;
    if (field->names != NULL) {
        add(out, kind == &mf_kind_flags ? "list of " : "");
        add_names(out, field->names);
        return;
    }
    if (kind == &mf_kind_series) {
        add(out, "`news` ");
        add_names(out, mf_interval_names);
        return;
    }
    if (kind == &mf_kind_hex || kind == &mf_kind_event_id) {
        if (field->index == field->max)
            (void)mf_buf_addf(out, "%zu hex digits", field->max);
        else
            (void)mf_buf_addf(out, "%u to %zu hex digits", field->index, field->max);
        return;
    }
    add(out, kind->label);
    if ((field->rules & MF_FIELD_POSITIVE) != 0)
        add(out, " > 0");
    if ((field->rules & MF_FIELD_NOT_NEGATIVE) != 0)
        add(out, " ≥ 0");
    if (kind == &mf_kind_text)
        (void)mf_buf_addf(out, ", ≤ %zu bytes", field->max);
    else if (kind == &mf_kind_texts || kind == &mf_kind_objects || kind == &mf_kind_feeds ||
             kind == &mf_kind_baseline)
        (void)mf_buf_addf(out, ", ≤ %zu", field->max);
}

static const char *presence_of(const struct mf_event_field *field)
{
    if ((field->rules & MF_FIELD_REQUIRED) != 0)
        return "yes";
    if ((field->rules & MF_FIELD_MADE) != 0)
        return "from the processor";
    return (field->rules & MF_FIELD_FED) != 0 ? "from a feed" : "";
}

static void add_field(struct mf_buf *out, const char *prefix, const struct mf_event_field *field)
{
    (void)mf_buf_addf(out, "| %s%s | ", prefix, field->name);
    add_type(out, field);
    (void)mf_buf_addf(out, " | %s | %s | %s |\n", presence_of(field),
                      (field->rules & MF_FIELD_CONTENT) != 0 ? "yes" : "", field->description);
    for (size_t i = 0; i < field->field_count; i++) {
        char below[64];
        (void)snprintf(below, sizeof below, "%s%s.", prefix, field->name);
        add_field(out, below, &field->fields[i]);
    }
}

static void add_fields(struct mf_buf *out, const struct mf_event_field *fields, size_t count)
{
    add(out, "| field | type | required | content | meaning |\n| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < count; i++)
        add_field(out, "", &fields[i]);
}

static void add_envelope(struct mf_buf *out)
{
    add(out, "\n## Envelope\n\n"
             "Every payload is one JSON object in UTF-8 that begins with these fields. A value that is not "
             "there is left\n"
             "out; `null` is an error. A consumer takes every minor version of its major version, ignores "
             "fields it does\n"
             "not know, and does not rely on their order. *content* marks what the content hash covers.\n"
             "`marketflowctl events validate FILE` checks records.\n\n");
    add_fields(out, mf_event_tables[MF_EVENT_BAR]->fields, MF_ENVELOPE_FIELD_COUNT);
    add(out,
        "\n- **time**: RFC 3339 in UTC with milliseconds, `2024-01-02T14:30:00.000Z`. **date**: "
        "`2024-01-02`, where the\n"
        "  instrument is traded.\n"
        "- **number**: a feed's own digits; at most 8 decimals, at most 1e15, no exponent, never a string.\n"
        "- **statistic**: what we computed; at most 8 decimals and 15 significant digits, in its shortest "
        "form.\n"
        "- **symbol**: 1 to 64 letters, digits or any of `. : _ / -`. **lane**: `live`, or `backfill:` and 1 "
        "to 64\n"
        "  letters, digits or any of `. _ -`.\n");
    (void)mf_buf_addf(out, "- An event has at most %zu KiB, a dead letter %zu KiB.\n",
                      MF_EVENT_SIZE_MAX / 1024, MF_DEAD_LETTER_SIZE_MAX / 1024);
}

static void add_types(struct mf_buf *out)
{
    add(out, "\n## Types\n\nThe fields after the envelope, in the order in which we write them.\n");
    for (enum mf_event_type type = 0; type < MF_EVENT_TYPE_MAX; type++) {
        const struct mf_event_table *table = mf_event_tables[type];
        (void)mf_buf_addf(out, "\n### %s\n\n%s\n\n", mf_event_type_name(type), table->summary);
        add_fields(out, table->fields + MF_ENVELOPE_FIELD_COUNT, table->count - MF_ENVELOPE_FIELD_COUNT);
    }
}

// ---- identity, with an example that is computed here

static const char example_content[] =
    "open=6:187.15\nhigh=5:187.4\nlow=5:186.9\nclose=6:187.22\nvolume=7:41203.5\n"
    "vwap=8:187.1712\ntrade_count=3:392\n";

static void fill_example(struct mf_event *event)
{
    mf_event_init(event, MF_EVENT_BAR);
    event->symbol = MF_STR("AAPL");
    event->asset_class = MF_ASSET_STOCK;
    event->source = MF_STR("polygon");
    event->lane = MF_STR("live");
    event->event_time_us = INT64_C(1704205800000000);
    event->ingest_time_us = INT64_C(1704205862113000);
    event->mode = MF_MODE_REST;
    event->request_id = MF_STR("a1b2");
    event->page = 0;
    struct mf_bar *bar = &event->bar;
    bar->interval = MF_INTERVAL_1M;
    bar->window_end_us = event->event_time_us + MF_US_PER_MINUTE;
    bar->session_date = (struct mf_date){2024, 1, 2};
    bar->session = MF_SESSION_REGULAR;
    bar->open = MF_STR("187.15");
    bar->high = MF_STR("187.40");
    bar->low = MF_STR("186.9");
    bar->close = MF_STR("187.22");
    bar->volume = MF_STR("41203.5");
    bar->vwap = MF_STR("187.1712");
    bar->trade_count = 392;
    bar->adjusted = MF_ADJUSTED_SPLIT;
    bar->vendor_ms = INT64_C(1704205800000);
}

static void add_example(struct mf_buf *out)
{
    struct mf_event event;
    struct mf_error err;
    char key[MF_DEDUPE_KEY_MAX], hex[MF_EVENT_ID_SIZE], id[MF_EVENT_ID_SIZE];
    size_t key_len = 0;
    fill_example(&event);
    struct mf_hash128 content = mf_event_content_hash(&event);
    struct mf_hash128 described = mf_hash128(example_content, sizeof example_content - 1);
    assert(content.high == described.high && content.low == described.low);
    (void)described;
    int result = mf_event_dedupe_key(&event, key, &key_len, &err);
    result += mf_event_id(&event, id, &err);
    add(out, "\nExample:\n\n```json\n");
    result += mf_event_encode(&event, out, &err);
    assert(result == 0);
    (void)result;
    (void)mf_buf_addf(out, "\n```\n\n- dedupe_key: `%s`\n- text of the content hash:\n\n  ```\n", key);
    for (const char *line = example_content; *line != '\0'; line = strchr(line, '\n') + 1)
        (void)mf_buf_addf(out, "  %.*s\n", (int)(strchr(line, '\n') - line), line);
    (void)mf_buf_addf(out, "  ```\n\n- content hash: `%s`\n- event_id: `%s`\n", mf_hash128_hex(content, hex),
                      id);
}

static void add_identity(struct mf_buf *out)
{
    add(out, "\n## Identity\n\n"
             "**dedupe_key** = `symbol|event_time|kind`. It is in no payload: the sink stores it beside the "
             "payload.\n\n"
             "| event_type | kind |\n| --- | --- |\n"
             "| bar | `bar.<interval>.<adjusted>[.<parent_source>]` |\n"
             "| option_bar | `option_bar.<interval>.<adjusted>[.<parent_source>].<contract.ticker>` |\n"
             "| news | `news.<article_id>` |\n"
             "| symbol | `symbol` |\n"
             "| corporate_action | `corporate_action.<kind>` |\n"
             "| feed_status | `feed_status.<feed>[.<shard>]` |\n"
             "| heartbeat | `heartbeat` |\n"
             "| metric | `metric.<interval>.<adjusted>.<parent_source>` |\n"
             "| alert | `alert.<rule_id>.<interval>[.<parent_source>][.<article_id>][.<contract>]` |\n"
             "| dead_letter of a record | `dead_letter.<stage>/<topic>/<partition>/<offset>` |\n"
             "| dead_letter of an answer | "
             "`dead_letter.ingest/<provider>/<feed>/<request_id>/<page>/<index>` |\n\n");
    add(out, "**content hash** = XXH3-128 (seed 0) of the fields marked *content* that are there, in the "
             "order of the tables,\n"
             "each as `name=length:value` and a line feed. The length counts bytes, so no text can pass for "
             "a separator.\n"
             "Numbers are in canonical form (no needless zeros: 187.40 is 187.4), times, dates and names as "
             "in the payload.\n"
             "A field of an object is `object.field`; a list repeats its name; a map gives `.name` and "
             "`.value` (feeds: `.time`)\n"
             "by ascending name; `raw` gives the 32 hex digits of the XXH3-128 of its bytes.\n\n"
             "**event_id** = XXH3-128 of `source`, a line feed, for what the processor makes `lane` and a "
             "line feed, then\n"
             "`dedupe_key`, a line feed, and the content hash as 32 hex digits.\n\n"
             "Same key and same content: a duplicate. Same key, other content: a correction, whose revision "
             "is one more. The\n"
             "warehouse's key is (event_id, revision).\n");
    add_example(out);
}

static void add_headers(struct mf_buf *out)
{
    add(out, "\n## Keys and headers\n\n"
             "The Kafka key is the symbol; a feed_status has the feed's name, a dead letter\n"
             "`stage/topic/partition/offset` of its origin. Heartbeats have no key: one goes to every "
             "partition.\n\n"
             "A common record has no headers. The processor adds these where they say something; dead "
             "letters and\n"
             "replayed records carry where they came from.\n\n"
             "| header | value |\n| --- | --- |\n");
    static const char *const headers[][2] = {
        {MF_HEADER_REVISION, "revision above 0, decimal"},
        {MF_HEADER_FLAGS, "list with commas: late, corrected"},
        {MF_HEADER_SYMBOL_NAME, "news that passed: name of its symbol, when known"},
        {MF_HEADER_SYMBOL_EXCHANGE, "its exchange, when known"},
        {MF_HEADER_SYMBOL_TYPE, "its type, when known"},
        {MF_HEADER_ORIGIN_TOPIC, "topic the record was read from"},
        {MF_HEADER_ORIGIN_PARTITION, "its partition, decimal"},
        {MF_HEADER_ORIGIN_OFFSET, "its offset, decimal"},
        {MF_HEADER_ORIGIN_TIMESTAMP, "its timestamp, Unix milliseconds"},
        {MF_HEADER_ORIGIN_PROVIDER, "stage ingest: who answered"},
        {MF_HEADER_ORIGIN_FEED, "stage ingest: the feed"},
        {MF_HEADER_ORIGIN_REQUEST, "stage ingest: the provider's id of the answer"},
        {MF_HEADER_ORIGIN_PAGE, "stage ingest: page, from 0"},
        {MF_HEADER_ORIGIN_INDEX, "stage ingest: place in the page, from 0"},
        {MF_HEADER_REPLAYED, "of a replayed record: topic/partition/offset of its dead letter"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(headers); i++)
        (void)mf_buf_addf(out, "| `%s` | %s |\n", headers[i][0], headers[i][1]);
}

void mf_events_markdown(struct mf_buf *out)
{
    add_topics(out);
    add_envelope(out);
    add_types(out);
    add_identity(out);
    add_headers(out);
}
