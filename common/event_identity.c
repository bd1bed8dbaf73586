// SPDX-License-Identifier: Apache-2.0
// Identity (events.md): dedupe_key, content hash, event_id, Kafka key. Pure.
// event_id = XXH3-128 of: source "\n" [lane "\n", only in what the processor makes] dedupe_key "\n" content
// hash as 32 hex digits. Neither source nor lane can hold a line feed, and the hash has a fixed length, so no
// two identities meet.
#include "common/event_table.h"

struct key_text {
    char *out;
    size_t size, len;
};

// Adds what still fits; len goes on counting, so that the owner can tell.
static void key_add(struct key_text *key, struct mf_str part)
{
    if (key->len < key->size && part.len > 0) {
        size_t room = key->size - 1 - key->len;
        memcpy(key->out + key->len, part.data, part.len < room ? part.len : room);
    }
    key->len += part.len;
}

static void key_add_c(struct key_text *key, const char *part)
{
    key_add(key, mf_str_of(part));
}

static void key_add_number(struct key_text *key, int64_t number)
{
    char text[MF_INTEGER_TEXT_SIZE];
    key_add(key, (struct mf_str){text, mf_i64_text(number, text)});
}

// ".<interval>.<adjusted>[.<parent source>]"
static void key_add_series(struct key_text *key, enum mf_interval interval, enum mf_adjusted adjusted,
                           struct mf_str parent_source)
{
    key_add_c(key, ".");
    key_add_c(key, mf_interval_name(interval));
    key_add_c(key, ".");
    key_add_c(key, mf_adjusted_name(adjusted));
    if (parent_source.data != NULL) {
        key_add_c(key, ".");
        key_add(key, parent_source);
    }
}

static void key_add_option_bar(struct key_text *key, const struct mf_option_bar *option)
{
    key_add_series(key, option->bar.interval, option->bar.adjusted, option->bar.parent_source);
    key_add_c(key, ".");
    key_add(key, option->ticker);
}

static void key_add_alert(struct key_text *key, const struct mf_alert *alert)
{
    const struct mf_str parts[] = {alert->rule_id, alert->interval, alert->parent_source, alert->article_id,
                                   alert->contract};
    for (size_t i = 0; i < MF_ARRAY_LEN(parts); i++) {
        if (parts[i].data == NULL)
            continue;
        key_add_c(key, ".");
        key_add(key, parts[i]);
    }
}

// "stage/topic/partition/offset", or "ingest/provider/feed/request_id/page/index" with nothing for what is
// absent.
static void key_add_origin(struct key_text *key, const struct mf_dead_letter *letter)
{
    const struct mf_origin *origin = &letter->origin;
    bool kafka = origin->topic.data != NULL;
    const struct mf_str texts[] = {letter->stage, kafka ? origin->topic : origin->provider,
                                   kafka ? MF_STR_NULL : origin->feed,
                                   kafka ? MF_STR_NULL : origin->request_id};
    for (size_t i = 0; i < (kafka ? 2u : 4u); i++) {
        if (i > 0)
            key_add_c(key, "/");
        key_add(key, texts[i]);
    }
    const int64_t numbers[] = {kafka ? origin->partition : origin->page,
                               kafka ? origin->offset : origin->index};
    for (size_t i = 0; i < MF_ARRAY_LEN(numbers); i++) {
        key_add_c(key, "/");
        if (numbers[i] >= 0)
            key_add_number(key, numbers[i]);
    }
}

static void key_add_kind(struct key_text *key, const struct mf_event *event)
{
    key_add_c(key, mf_event_type_name(event->type));
    switch (event->type) {
    case MF_EVENT_BAR:
        key_add_series(key, event->bar.interval, event->bar.adjusted, event->bar.parent_source);
        break;
    case MF_EVENT_OPTION_BAR: key_add_option_bar(key, &event->option_bar); break;
    case MF_EVENT_METRIC:
        key_add_series(key, event->metric.interval, event->metric.adjusted, event->metric.parent_source);
        break;
    case MF_EVENT_ALERT: key_add_alert(key, &event->alert); break;
    case MF_EVENT_NEWS:
        key_add_c(key, ".");
        key_add(key, event->news.article_id);
        break;
    case MF_EVENT_CORPORATE_ACTION:
        key_add_c(key, ".");
        key_add_c(key, mf_action_kind_name(event->corporate_action.kind));
        break;
    case MF_EVENT_FEED_STATUS:
        key_add_c(key, ".");
        key_add(key, event->feed_status.feed);
        if (event->feed_status.shard.data != NULL) {
            key_add_c(key, ".");
            key_add(key, event->feed_status.shard);
        }
        break;
    case MF_EVENT_DEAD_LETTER:
        key_add_c(key, ".");
        key_add_origin(key, &event->dead_letter);
        break;
    case MF_EVENT_SYMBOL:
    case MF_EVENT_HEARTBEAT:
    case MF_EVENT_TYPE_MAX: break;
    }
}

int mf_event_dedupe_key(const struct mf_event *event, char out[MF_DEDUPE_KEY_MAX], size_t *out_len,
                        struct mf_error *err)
{
    struct key_text key = {.out = out, .size = MF_DEDUPE_KEY_MAX};
    char time[MF_TIME_TEXT_SIZE];
    mf_time_format_ms(event->event_time_us, time);
    key_add(&key, event->symbol);
    key_add_c(&key, "|");
    key_add_c(&key, time);
    key_add_c(&key, "|");
    key_add_kind(&key, event);
    if (key.len >= key.size)
        return mf_error_set(err, MF_ERROR_POISON, "dedupe_key_too_long",
                            "the dedupe key has %zu bytes, at most %d are allowed", key.len,
                            MF_DEDUPE_KEY_MAX - 1);
    out[key.len] = '\0';
    *out_len = key.len;
    return 0;
}

void mf_hash_text_begin(struct mf_hash_text *hash)
{
    hash->len = 0;
    hash->spilled = false;
}

static void spill(struct mf_hash_text *hash, const char *data, size_t len)
{
    if (!hash->spilled)
        mf_hash128_begin(&hash->stream);
    hash->spilled = true;
    mf_hash128_add(&hash->stream, data, len);
}

char *mf_hash_text_room(struct mf_hash_text *hash, size_t len)
{
    assert(len <= sizeof hash->bytes);
    if (len > sizeof hash->bytes - hash->len) {
        spill(hash, hash->bytes, hash->len);
        hash->len = 0;
    }
    return hash->bytes + hash->len;
}

void mf_hash_text_add(struct mf_hash_text *hash, struct mf_str part)
{
    if (part.len > sizeof hash->bytes) {
        spill(hash, hash->bytes, hash->len);
        hash->len = 0;
        spill(hash, part.data, part.len);
    } else if (part.len > 0) {
        memcpy(mf_hash_text_room(hash, part.len), part.data, part.len);
        hash->len += part.len;
    }
}

struct mf_hash128 mf_hash_text_end(struct mf_hash_text *hash)
{
    if (!hash->spilled)
        return mf_hash128(hash->bytes, hash->len);
    spill(hash, hash->bytes, hash->len);
    return mf_hash128_end(&hash->stream);
}

struct mf_hash128 mf_event_content_hash(const struct mf_event *event)
{
    MF_UNINITIALISED struct mf_hash_text hash;
    mf_hash_text_begin(&hash);
    struct mf_event_output out = {.hash = &hash};
    mf_event_emit(&out, event);
    return mf_hash_text_end(&hash);
}

int mf_event_id_of(const struct mf_event *event, struct mf_hash128 content, char id[MF_EVENT_ID_SIZE],
                   struct mf_error *err)
{
    MF_UNINITIALISED char key[MF_DEDUPE_KEY_MAX];
    MF_UNINITIALISED struct mf_hash_text hash;
    char content_text[MF_EVENT_ID_SIZE];
    size_t key_len = 0;
    if (mf_event_dedupe_key(event, key, &key_len, err) != 0)
        return -1;
    mf_hash_text_begin(&hash);
    mf_hash_text_add(&hash, event->source);
    mf_hash_text_add(&hash, MF_STR("\n"));
    if (mf_event_is_made(event)) {
        mf_hash_text_add(&hash, event->lane);
        mf_hash_text_add(&hash, MF_STR("\n"));
    }
    mf_hash_text_add(&hash, (struct mf_str){key, key_len});
    mf_hash_text_add(&hash, MF_STR("\n"));
    mf_hash_text_add(&hash, mf_str_of(mf_hash128_hex(content, content_text)));
    mf_hash128_hex(mf_hash_text_end(&hash), id);
    return 0;
}

int mf_event_id(const struct mf_event *event, char out[MF_EVENT_ID_SIZE], struct mf_error *err)
{
    return mf_event_id_of(event, mf_event_content_hash(event), out, err);
}

int mf_event_revision(const struct mf_event *event, struct mf_str header, int64_t *revision,
                      struct mf_error *err)
{
    int64_t found = 0;
    if (event->type == MF_EVENT_METRIC)
        found = event->metric.revision;
    else if (event->type == MF_EVENT_ALERT)
        found = event->alert.revision;
    else if (event->type == MF_EVENT_BAR && event->bar.revision >= 0)
        found = event->bar.revision;
    else if (event->type != MF_EVENT_DEAD_LETTER && header.data != NULL &&
             (!mf_str_to_i64(header, &found) || found < 0 || found > INT32_MAX))
        return mf_error_set(err, MF_ERROR_POISON, "bad_revision",
                            "header " MF_HEADER_REVISION " is not a revision");
    *revision = found;
    return 0;
}

struct mf_str mf_event_key(const struct mf_event *event, char scratch[MF_EVENT_KEY_MAX])
{
    switch (event->type) {
    case MF_EVENT_HEARTBEAT: return MF_STR_NULL;
    case MF_EVENT_FEED_STATUS: return event->feed_status.feed;
    case MF_EVENT_DEAD_LETTER: {
        struct key_text key = {.out = scratch, .size = MF_EVENT_KEY_MAX};
        key_add_origin(&key, &event->dead_letter);
        size_t len = key.len < key.size ? key.len : key.size - 1;
        scratch[len] = '\0';
        return (struct mf_str){scratch, len};
    }
    default: return event->symbol;
    }
}
