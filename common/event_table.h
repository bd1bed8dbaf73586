// SPDX-License-Identifier: Apache-2.0
// Inside of common/event*.c: one table of fields per event type, in canonical order. Reading, checking,
// writing, hashing and the reference page all walk the same rows, so that none of them can know a field that
// another one does not. Not a contract for others: they use event.h.
#ifndef MF_EVENT_TABLE_H
#define MF_EVENT_TABLE_H

#include "event.h"
#include "json_writer.h"

struct mf_event_field;

// Where problems are put while an event is read or checked. Filled by the caller; both pointers may be NULL.
struct mf_event_report {
    struct mf_event_problems *problems;
    struct mf_error *err; // the first problem, of several not that the event_id is missing
    size_t count;
    bool lacks_id;      // is all that err says
    const char *prefix; // of nested fields: "provenance."
};
void mf_event_report_add(struct mf_event_report *report, const char *code, const char *name, const char *fmt,
                         ...) MF_PRINTF(4, 5);

// A text on its way into XXH3-128: kept in one piece and hashed at once, which costs a fraction of the hash's
// own bookkeeping; only what does not fit (long news) goes through the stream. Lives on the stack, where it
// should be MF_UNINITIALISED: begin sets what is read.
struct mf_hash_text {
    size_t len;
    bool spilled; // the stream holds what came before bytes
    char bytes[2048];
    struct mf_hash128_stream stream;
};
void mf_hash_text_begin(struct mf_hash_text *hash); // event_identity.c
void mf_hash_text_add(struct mf_hash_text *hash, struct mf_str part);
// Place for at most len <= sizeof bytes; the caller writes there and adds what it used to hash->len.
char *mf_hash_text_room(struct mf_hash_text *hash, size_t len);
struct mf_hash128 mf_hash_text_end(struct mf_hash_text *hash);

// Where values go while an event is walked: to JSON, to the content hash, or to both.
struct mf_event_output {
    struct mf_json_writer *json; // NULL = do not write
    struct mf_hash_text *hash;   // NULL = do not hash
    const char *prefix;          // of nested fields in the hash: "sentiment."
    size_t event_id_at;          // offset in the buffer of an event_id to be filled in later; 0 = none
};
// One value of a market field: prefix, name, "=", length in bytes, ":", value, "\n".
void mf_event_hash_item(struct mf_event_output *out, struct mf_str name, struct mf_str value);

// What a kind of value can do. `base` is the struct that the field's offset refers to.
struct mf_field_kind {
    const char *label; // for the reference page: "text", "time", …
    void (*clear)(const struct mf_event_field *field, void *base);
    bool (*present)(const struct mf_event_field *field, const void *base);
    // JSON → struct; false when the node has the wrong type or form (reported).
    bool (*read)(struct mf_event_report *report, const struct mf_event_field *field,
                 const struct mf_json_node *node, void *base);
    // Limits and ranges of a present value.
    void (*check)(struct mf_event_report *report, const struct mf_event_field *field, const void *base);
    // Writes and hashes a present value.
    void (*emit)(struct mf_event_output *out, const struct mf_event_field *field, const void *base);
};

enum mf_field_rule {
    MF_FIELD_REQUIRED = 1u << 0,
    MF_FIELD_CONTENT = 1u << 1,      // a market field: part of the content hash
    MF_FIELD_MADE = 1u << 2,         // required in what the processor makes, refused elsewhere
    MF_FIELD_FED = 1u << 3,          // required in what a feed sent, refused elsewhere
    MF_FIELD_POSITIVE = 1u << 4,     // a number above 0
    MF_FIELD_NOT_NEGATIVE = 1u << 5, // a number from 0 on
};

struct mf_event_field {
    const char *name; // plain: it needs no escape
    size_t name_len;
    const struct mf_field_kind *kind;
    const char *description; // a sentence for the reference page
    unsigned rules;          // enum mf_field_rule
    unsigned index;          // metric fields: enum mf_metric_field
    size_t offset;
    size_t max;                          // texts: bytes; lists: items; names: how many there are
    const char *const *names;            // names: the texts, NULL-terminated
    int64_t absent;                      // integers: the value that means "left out"
    size_t count_offset, item_size;      // lists
    const struct mf_event_field *fields; // objects and lists of objects
    size_t field_count;
};

extern const struct mf_field_kind mf_kind_version, mf_kind_type;                   // event_kinds_text.c
extern const struct mf_field_kind mf_kind_text, mf_kind_symbol, mf_kind_source;    // struct mf_str
extern const struct mf_field_kind mf_kind_lane, mf_kind_hex, mf_kind_series;       // struct mf_str
extern const struct mf_field_kind mf_kind_event_id, mf_kind_raw, mf_kind_raw_size; // event_kinds_raw.c
extern const struct mf_field_kind mf_kind_time, mf_kind_date, mf_kind_name;        // event_kinds_scalar.c
extern const struct mf_field_kind mf_kind_bool, mf_kind_plain_bool, mf_kind_true;  // int -1/0/1, bool, bool
extern const struct mf_field_kind mf_kind_i64, mf_kind_i32;                        // event_kinds_number.c
extern const struct mf_field_kind mf_kind_decimal, mf_kind_statistic, mf_kind_metric;
extern const struct mf_field_kind mf_kind_flags, mf_kind_texts, mf_kind_object,
    mf_kind_objects;                                               // event_kinds_list.c
extern const struct mf_field_kind mf_kind_feeds, mf_kind_baseline; // event_kinds_map.c

#define MF_EVENT_FIELDS_MAX 64 // rows of one table: what is seen is kept in 64 bits
struct mf_event_table {
    const struct mf_event_field *fields; // the envelope's rows first
    size_t count;
    size_t size;         // bytes of the union's member that the type uses
    const char *summary; // a sentence for the reference page
};
extern const struct mf_event_table *const mf_event_tables[MF_EVENT_TYPE_MAX];
#define MF_ENVELOPE_FIELD_COUNT 11

// Names of the enums, each list NULL-terminated.
extern const char *const mf_event_type_names[MF_EVENT_TYPE_MAX + 1];
extern const char *const mf_asset_class_names[MF_ASSET_CLASS_MAX + 1];
extern const char *const mf_mode_names[MF_MODE_MAX + 1];
extern const char *const mf_interval_names[MF_INTERVAL_MAX + 1];
extern const char *const mf_session_names[MF_SESSION_MAX + 1];
extern const char *const mf_adjusted_names[MF_ADJUSTED_MAX + 1];
extern const char *const mf_severity_names[MF_SEVERITY_MAX + 1];
extern const char *const mf_direction_names[MF_DIRECTION_MAX + 1];
extern const char *const mf_alert_state_names[MF_ALERT_STATE_MAX + 1];
extern const char *const mf_option_type_names[MF_OPTION_TYPE_MAX + 1];
extern const char *const mf_action_kind_names[MF_ACTION_KIND_MAX + 1];
extern const char *const mf_feed_state_names[MF_FEED_STATE_MAX + 1];
extern const char *const mf_source_names[];
extern const char *const mf_flag_names[];
// Index of the text in a NULL-terminated list, -1 when it is not there.
int mf_name_index(const char *const *names, struct mf_str text);

// "a, b or c" for messages, cut when out is too small. Returns out.
char *mf_names_join(const char *const *names, char *out, size_t out_size);

static inline struct mf_str mf_field_name(const struct mf_event_field *field)
{
    return (struct mf_str){field->name, field->name_len};
}
static inline void *mf_field_at(const struct mf_event_field *field, void *base)
{
    return (char *)base + field->offset;
}
static inline const void *mf_field_in(const struct mf_event_field *field, const void *base)
{
    return (const char *)base + field->offset;
}
static inline bool mf_event_is_made(const struct mf_event *event)
{
    return mf_str_eq(event->source, MF_STR("processor"));
}

// Walks, used for whole events, nested objects and items of lists alike (event_walk.c).
void mf_fields_clear(const struct mf_event_field *fields, size_t count, void *base);
// Members → fields; *seen gets a bit per row that was there, *bad one per row that could not be read.
void mf_fields_read(struct mf_event_report *report, const struct mf_event_field *fields, size_t count,
                    const struct mf_json_node *object, void *base, uint64_t *seen, uint64_t *bad);
// Rows of `skip` are left out. made: the event comes from the processor.
void mf_fields_check(struct mf_event_report *report, const struct mf_event_field *fields, size_t count,
                     const void *base, bool made, uint64_t skip);
void mf_fields_emit(struct mf_event_output *out, const struct mf_event_field *fields, size_t count,
                    const void *base);
// Checks an event whose rows of `skip` are already known to be bad.
void mf_event_check_fields(struct mf_event_report *report, const struct mf_event *event, uint64_t skip);
// What must fit each other in a bar. Days since the epoch: of the session_date, and of event_time in UTC.
bool mf_bar_window_fits(enum mf_interval interval, int64_t start_us, int64_t end_us);
bool mf_bar_session_fits(enum mf_interval interval, int32_t event_day, int32_t session_day);
// Walks the market fields of the event into the content hash (and, with out->json, everything into JSON).
void mf_event_emit(struct mf_event_output *out, const struct mf_event *event);
// event_id of the identity made of these parts.
int mf_event_id_of(const struct mf_event *event, struct mf_hash128 content, char id[MF_EVENT_ID_SIZE],
                   struct mf_error *err);
// The bytes of a dead letter that are kept and hashed: raw itself, cut. Only for raw_is_base64 == false.
struct mf_str mf_dead_letter_kept(const struct mf_dead_letter *letter);

// ---- a metric's statistics as text, for those who write and read them in one pass

// `,"sma_20":` and `sma_20=`, in pieces of a fixed size, because a copy of a known size is one or two
// instructions.
struct mf_statistic_name {
    _Alignas(64) char member[32];
    char item[24];
    uint8_t member_len, item_len;
};
extern const struct mf_statistic_name mf_statistic_names[MF_METRIC_FIELD_MAX];

#endif
