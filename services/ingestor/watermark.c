// SPDX-License-Identifier: Apache-2.0
// Keys and values of the watermarks topic (see watermark.h).
#include "services/ingestor/watermark.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/json_writer.h"

static const char *const status_names[ING_STATUS_MAX] = {
    [ING_STATUS_RUNNING] = "running", [ING_STATUS_COMPLETE] = "complete",
    [ING_STATUS_PARTIAL] = "partial", [ING_STATUS_UNKNOWN_TICKER] = "unknown_ticker",
    [ING_STATUS_REFUSED] = "refused", [ING_STATUS_ABANDONED] = "abandoned",
};

const char *ing_status_name(enum ing_status status)
{
    assert(status < ING_STATUS_MAX);
    return status_names[status];
}

bool ing_range_list_add(struct ing_range_list *list, struct ing_range range)
{
    struct ing_range *last = list->count > 0 ? &list->items[list->count - 1] : NULL;
    if (last != NULL && last->to_us >= range.from_us && last->from_us <= range.from_us) {
        last->to_us = last->to_us > range.to_us ? last->to_us : range.to_us;
        return true;
    }
    if (list->count == ING_SKIPPED_MAX)
        return false;
    list->items[list->count++] = range;
    return true;
}

void ing_watermark_init(struct ing_watermark *watermark)
{
    *watermark = (struct ing_watermark){.status = ING_STATUS_RUNNING, .last_time_us = INT64_MIN};
}

void ing_mark_init(struct ing_mark *mark)
{
    *mark = (struct ing_mark){.status = ING_STATUS_RUNNING, .last_time_us = INT64_MIN};
}

// ---------------------------------------------------------------- keys

// Symbols hold no '|', so the parts of a key can be counted.
void ing_watermark_key(const struct ing_work *work, const char *run_id, struct mf_buf *out)
{
    bool bars = ing_feed_is_of_bars(work->feed);
    mf_buf_addf(out, "%s|%s|%s|%s|%s", ing_polygon.name, ing_feed_name(work->feed), work->symbol,
                bars ? ing_timespans[work->timespan].name : "-",
                bars ? mf_adjusted_name(work->adjusted) : "-");
    if (run_id != NULL)
        mf_buf_addf(out, "|%s", run_id);
}

void ing_run_key(const char *run_id, struct mf_buf *out)
{
    mf_buf_addf(out, "run|%s", run_id);
}

static size_t count_bars(struct mf_str key)
{
    size_t count = 0;
    for (size_t i = 0; i < key.len; i++)
        count += key.data[i] == '|';
    return count;
}

bool ing_watermark_key_is_live(struct mf_str key)
{
    return count_bars(key) == 4;
}

struct mf_str ing_watermark_key_symbol(struct mf_str key)
{
    size_t from = 0;
    for (int parts = 0; parts < 2 && from < key.len; from++)
        parts += key.data[from] == '|';
    size_t to = from;
    while (to < key.len && key.data[to] != '|')
        to++;
    return (struct mf_str){key.data + from, to - from};
}

bool ing_watermark_key_is_of_run(struct mf_str key, const char *run_id)
{
    size_t len = strlen(run_id);
    size_t bars = count_bars(key);
    bool of_run = bars == 5 || (bars == 1 && mf_str_starts_with(key, "run|")) ||
                  (bars == 2 && mf_str_starts_with(key, "universe|"));
    return of_run && key.len > len && key.data[key.len - len - 1] == '|' &&
           memcmp(key.data + key.len - len, run_id, len) == 0;
}

// ---------------------------------------------------------------- values

static void write_time(struct mf_json_writer *w, const char *key, int64_t time_us)
{
    char text[MF_TIME_TEXT_SIZE];
    mf_jw_key(w, key);
    mf_jw_c_string(w, mf_time_format_ms(time_us, text));
}

static void write_ranges(struct mf_json_writer *w, const struct ing_range_list *list)
{
    mf_jw_key(w, "skipped");
    mf_jw_array_begin(w);
    for (size_t i = 0; i < list->count; i++) {
        mf_jw_object_begin(w);
        write_time(w, "from", list->items[i].from_us);
        write_time(w, "to", list->items[i].to_us);
        mf_jw_object_end(w);
    }
    mf_jw_array_end(w);
}

// One entry: "milliseconds id hash", numbers in hexadecimal.
static void write_overlap(struct mf_json_writer *w, const struct ing_overlap *overlap)
{
    mf_jw_key(w, "overlap");
    mf_jw_array_begin(w);
    size_t skip = overlap->kept_count > ING_OVERLAP_SAVED ? overlap->kept_count - ING_OVERLAP_SAVED : 0;
    for (size_t i = skip; i < overlap->kept_count; i++) {
        const struct ing_overlap_entry *entry = &overlap->kept[i];
        char text[64];
        snprintf(text, sizeof text, "%" PRIx64 " %" PRIx64 " %" PRIx64,
                 (uint64_t)(entry->event_time_us / MF_US_PER_MS), entry->id, entry->hash);
        mf_jw_c_string(w, text);
    }
    mf_jw_array_end(w);
}

// Text for people who look at the topic as much as for the next start.
void ing_watermark_encode(const struct ing_watermark *watermark, const struct ing_overlap *overlap,
                          struct mf_buf *out)
{
    struct mf_json_writer w;
    mf_jw_init(&w, out);
    mf_jw_object_begin(&w);
    mf_jw_key(&w, "version");
    mf_jw_i64(&w, 1);
    mf_jw_key(&w, "status");
    mf_jw_c_string(&w, ing_status_name(watermark->status));
    if (watermark->range.to_us > watermark->range.from_us) {
        write_time(&w, "from", watermark->range.from_us);
        write_time(&w, "to", watermark->range.to_us);
    }
    if (watermark->position_us != 0)
        write_time(&w, "position", watermark->position_us);
    if (watermark->last_time_us != INT64_MIN)
        write_time(&w, "last_time", watermark->last_time_us);
    if (watermark->reconciled_us != 0)
        write_time(&w, "reconciled", watermark->reconciled_us);
    if (watermark->cursor[0] != '\0') {
        mf_jw_key(&w, "cursor");
        mf_jw_c_string(&w, watermark->cursor);
        write_time(&w, "request_to", watermark->request_to_us);
    }
    if (watermark->listed[0] != '\0') {
        mf_jw_key(&w, "listed");
        mf_jw_c_string(&w, watermark->listed);
    }
    mf_jw_key(&w, "page");
    mf_jw_u64(&w, watermark->page);
    if (watermark->pass > 0) {
        mf_jw_key(&w, "pass");
        mf_jw_u64(&w, watermark->pass);
    }
    mf_jw_key(&w, "events");
    mf_jw_u64(&w, watermark->events);
    if (watermark->skipped.count > 0)
        write_ranges(&w, &watermark->skipped);
    if (watermark->tally != NULL)
        ing_tally_write(watermark->tally, &w);
    if (overlap != NULL && overlap->kept_count > 0)
        write_overlap(&w, overlap);
    mf_jw_object_end(&w);
}

// Absent reads as 0.
static bool read_count(const struct mf_json_node *object, const char *key, uint64_t *out)
{
    int64_t number = 0;
    const struct mf_json_node *node = mf_json_get(object, key);
    if (node != NULL && (mf_json_type(node) != MF_JSON_NUMBER || !mf_str_to_i64(mf_json_text(node), &number)))
        return false;
    *out = (uint64_t)number;
    return number >= 0;
}

static bool read_time(const struct mf_json_node *object, const char *key, int64_t *out)
{
    return mf_json_get(object, key) == NULL || mf_time_parse(ing_text_of(object, key), out);
}

static bool read_status(const struct mf_json_node *object, enum ing_status *out)
{
    for (unsigned i = 0; i < ING_STATUS_MAX; i++) {
        if (mf_str_eq_c(ing_text_of(object, "status"), status_names[i])) {
            *out = (enum ing_status)i;
            return true;
        }
    }
    return false;
}

static bool read_ranges(const struct mf_json_node *object, struct ing_range_list *list)
{
    const struct mf_json_node *array = mf_json_get(object, "skipped");
    for (const struct mf_json_node *item = array != NULL ? mf_json_first(array) : NULL; item != NULL;
         item = mf_json_next(item)) {
        struct ing_range range = {0};
        if (!mf_time_parse(ing_text_of(item, "from"), &range.from_us) ||
            !mf_time_parse(ing_text_of(item, "to"), &range.to_us) || !ing_range_list_add(list, range))
            return false;
    }
    return true;
}

// A hexadecimal number up to `end`; moves *text behind it.
static bool read_hex(struct mf_str *text, char end, uint64_t *out)
{
    uint64_t number = 0;
    size_t at = 0;
    if (text->len == 0)
        return false;
    for (; at < text->len && text->data[at] != end; at++) {
        char c = text->data[at];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit == 16 || at == 16)
            return false;
        number = number * 16 + digit;
    }
    size_t used = at < text->len ? at + 1 : at;
    *text = (struct mf_str){text->data + used, text->len - used};
    *out = number;
    return at > 0;
}

static bool read_overlap(const struct mf_json_node *object, struct ing_overlap *overlap)
{
    const struct mf_json_node *array = mf_json_get(object, "overlap");
    for (const struct mf_json_node *item = array != NULL ? mf_json_first(array) : NULL; item != NULL;
         item = mf_json_next(item)) {
        struct mf_str text = mf_json_text(item);
        uint64_t ms;
        struct ing_overlap_entry entry;
        if (!read_hex(&text, ' ', &ms) || !read_hex(&text, ' ', &entry.id) ||
            !read_hex(&text, ' ', &entry.hash) || text.len > 0 || ms > (uint64_t)(INT64_MAX / MF_US_PER_MS))
            return false;
        entry.event_time_us = (int64_t)ms * MF_US_PER_MS;
        ing_overlap_add(overlap, &entry);
    }
    return true;
}

static int bad(struct mf_error *err, const char *what)
{
    return mf_error_set(err, MF_ERROR_POISON, "bad_watermark", "a stored watermark cannot be read: %s", what);
}

// Parses the text and checks the version, which both kinds of records share.
static int read_record(struct mf_json *json, struct mf_str text, const struct mf_json_node **root,
                       struct mf_error *err)
{
    if (mf_json_parse(json, text, &mf_json_limits_event, root, err) < 0)
        return bad(err, "it is not JSON");
    uint64_t version = 0;
    if (!read_count(*root, "version", &version) || version != 1)
        return bad(err, "it was written by another version of the ingestor");
    return 0;
}

int ing_watermark_decode(struct mf_json *json, struct mf_str text, struct ing_watermark *watermark,
                         struct ing_overlap *overlap, struct mf_error *err)
{
    const struct mf_json_node *root;
    if (read_record(json, text, &root, err) < 0)
        return -1;
    struct ing_watermark found;
    ing_watermark_init(&found);
    uint64_t page = 0;
    uint64_t pass = 0;
    if (!read_status(root, &found.status) || !read_count(root, "page", &page) || page > 1000000 ||
        !read_count(root, "pass", &pass) || pass >= ING_PASS_MAX ||
        !read_count(root, "events", &found.events))
        return bad(err, "status or counts");
    found.page = (unsigned)page;
    found.pass = (unsigned)pass;
    if (!read_time(root, "from", &found.range.from_us) || !read_time(root, "to", &found.range.to_us) ||
        !read_time(root, "position", &found.position_us) ||
        !read_time(root, "last_time", &found.last_time_us) ||
        !read_time(root, "reconciled", &found.reconciled_us) || !read_ranges(root, &found.skipped))
        return bad(err, "a time");
    if (!mf_str_copy(found.cursor, sizeof found.cursor, ing_text_of(root, "cursor")) &&
        mf_json_get(root, "cursor") != NULL)
        return bad(err, "the cursor");
    if (!mf_str_copy(found.listed, sizeof found.listed, ing_text_of(root, "listed")) &&
        mf_json_get(root, "listed") != NULL)
        return bad(err, "the contract up to which all are done");
    // A cursor of which it is not known what it leads to the end of is of no use.
    if (!read_time(root, "request_to", &found.request_to_us) || found.request_to_us <= found.position_us) {
        found.cursor[0] = '\0';
        found.page = 0;
    }
    if (overlap != NULL && !read_overlap(root, overlap))
        return bad(err, "the overlap");
    *watermark = found;
    return 0;
}

int ing_watermark_decode_tally(struct mf_json *json, struct mf_str text, struct ing_tally *tally,
                               struct mf_error *err)
{
    const struct mf_json_node *root;
    if (read_record(json, text, &root, err) < 0)
        return -1;
    return ing_tally_read(root, tally) ? 0 : bad(err, "the tally");
}

void ing_mark_encode(const struct ing_mark *mark, const struct ing_overlap *overlap, struct mf_buf *out)
{
    struct ing_watermark watermark;
    ing_watermark_init(&watermark);
    watermark.status = mark->status;
    watermark.position_us = mark->position_us;
    watermark.last_time_us = mark->last_time_us;
    watermark.reconciled_us = mark->reconciled_us;
    watermark.events = mark->events;
    ing_watermark_encode(&watermark, overlap, out);
}

int ing_mark_decode(struct mf_json *json, struct mf_str text, struct ing_mark *mark,
                    struct ing_overlap *overlap, struct mf_error *err)
{
    struct ing_watermark watermark;
    if (ing_watermark_decode(json, text, &watermark, overlap, err) < 0)
        return -1;
    *mark = (struct ing_mark){.status = watermark.status,
                              .position_us = watermark.position_us,
                              .last_time_us = watermark.last_time_us,
                              .reconciled_us = watermark.reconciled_us,
                              .events = watermark.events};
    return 0;
}

// ---------------------------------------------------------------- runs

void ing_run_free(struct ing_run *run)
{
    ing_tally_free(&run->tally);
}

void ing_run_encode(const struct ing_run *run, struct mf_buf *out)
{
    struct mf_json_writer w;
    mf_jw_init(&w, out);
    mf_jw_object_begin(&w);
    mf_jw_key(&w, "version");
    mf_jw_i64(&w, 1);
    mf_jw_key(&w, "status");
    mf_jw_c_string(&w, ing_status_name(run->status));
    mf_jw_key(&w, "arguments");
    mf_jw_c_string(&w, run->arguments);
    mf_jw_key(&w, "series");
    mf_jw_u64(&w, run->series);
    mf_jw_key(&w, "events");
    mf_jw_u64(&w, run->events);
    mf_jw_key(&w, "not_complete");
    mf_jw_c_string(&w, run->not_complete);
    ing_tally_write(&run->tally, &w);
    mf_jw_object_end(&w);
}

int ing_run_decode(struct mf_json *json, struct mf_str text, struct ing_run *run, struct mf_error *err)
{
    const struct mf_json_node *root;
    if (read_record(json, text, &root, err) < 0)
        return -1;
    struct ing_run found = {0};
    if (!read_status(root, &found.status) || !read_count(root, "series", &found.series) ||
        !read_count(root, "events", &found.events) ||
        !mf_str_copy(found.arguments, sizeof found.arguments, ing_text_of(root, "arguments")) ||
        !mf_str_copy(found.not_complete, sizeof found.not_complete, ing_text_of(root, "not_complete")) ||
        !ing_tally_read(root, &found.tally)) {
        ing_run_free(&found);
        return bad(err, "the record of a run");
    }
    *run = found;
    return 0;
}
