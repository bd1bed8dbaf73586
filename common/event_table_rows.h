// SPDX-License-Identifier: Apache-2.0
// Inside of common/event_table*.c: how a row of a field table is written, and the rows that every table
// begins with.
#ifndef MF_EVENT_TABLE_ROWS_H
#define MF_EVENT_TABLE_ROWS_H

#include "event_table.h"

enum { REQUIRED = MF_FIELD_REQUIRED, CONTENT = MF_FIELD_CONTENT, MADE = MF_FIELD_MADE, FED = MF_FIELD_FED };
enum { POSITIVE = MF_FIELD_POSITIVE, NOT_NEGATIVE = MF_FIELD_NOT_NEGATIVE };

// clang-format off
// FIELD("url", mf_kind_text, REQUIRED | CONTENT, news.url, "What it is.", .max = 4096)
#define FIELD_OF(type, name_, kind_, rules_, member, description_, ...)                                      \
    {.name = (name_), .name_len = sizeof(name_) - 1, .kind = &(kind_), .rules = (rules_), .offset = offsetof(type, member),                 \
     .description = (description_), __VA_ARGS__}
#define FIELD(name_, kind_, rules_, member, description_, ...)                                               \
    FIELD_OF(struct mf_event, name_, kind_, rules_, member, description_, __VA_ARGS__)
// An object whose fields lie beside the others in the struct.
#define OBJECT(name_, rules_, description_, rows)                                                            \
    {.name = (name_), .name_len = sizeof(name_) - 1, .kind = &mf_kind_object, .rules = (rules_), .description = (description_), ROWS(rows)}
#define NAMES(names_, max_) .names = (names_), .max = (max_)
#define HEX(least, most) .index = (least), .max = (most)
#define LIST(member, most) .count_offset = offsetof(struct mf_event, member), .max = (most)
#define ROWS(rows) .fields = (rows), .field_count = MF_ARRAY_LEN(rows)

// A table and the limit on its rows; member is the one of struct mf_event's union.
#define TABLE(table, member, rows, summary_)                                                                 \
    static_assert(MF_ARRAY_LEN(rows) <= MF_EVENT_FIELDS_MAX, "more rows than bits");                         \
    const struct mf_event_table table = {.fields = (rows), .count = MF_ARRAY_LEN(rows),                      \
                                         .size = sizeof(((struct mf_event *)NULL)->member), .summary = (summary_)}

// A heartbeat has no symbol, so that row's rules are given.
#define ENVELOPE(symbol_rules)                                                                               \
    FIELD("schema_version", mf_kind_version, REQUIRED, schema_version, "MAJOR.MINOR of this contract."),     \
    FIELD("event_type", mf_kind_type, REQUIRED, type, "Which table applies.", .names = mf_event_type_names), \
    FIELD("event_id", mf_kind_event_id, REQUIRED, event_id, "Identity; also the trace and correlation id.",  \
          HEX(32, 32)),                                                                                      \
    FIELD("symbol", mf_kind_symbol, symbol_rules, symbol,                                                    \
          "Instrument, as the feed writes it; for an option its underlying.", .max = MF_SYMBOL_MAX),         \
    FIELD("asset_class", mf_kind_name, REQUIRED, asset_class, "Kind of instrument.",                         \
          NAMES(mf_asset_class_names, MF_ASSET_CLASS_MAX)),                                                  \
    FIELD("source", mf_kind_source, REQUIRED, source, "Provider, or processor for what is computed.",        \
          .names = mf_source_names),                                                                         \
    FIELD("lane", mf_kind_lane, REQUIRED, lane, "Live data, or a backfill run."),                              \
    FIELD("event_time", mf_kind_time, REQUIRED, event_time_us,                                               \
          "When it happened; for a bar, the start of its window."),                                          \
    FIELD("ingest_time", mf_kind_time, REQUIRED, ingest_time_us,                                             \
          "When the ingestor had it; what is computed copies it from its cause."),                           \
    FIELD("flags", mf_kind_flags, REQUIRED, flags, "What the ingestor knew about it.",                       \
          .names = mf_flag_names),                                                                           \
    OBJECT("provenance", REQUIRED, "Where it came from.", mf_event_provenance_fields)
// clang-format on

#define MF_PROVENANCE_FIELD_COUNT 3
extern const struct mf_event_field mf_event_provenance_fields[MF_PROVENANCE_FIELD_COUNT]; // event_table.c

// One per type; event_table.c and event_table_made.c.
extern const struct mf_event_table mf_event_table_bar, mf_event_table_option_bar, mf_event_table_news;
extern const struct mf_event_table mf_event_table_symbol, mf_event_table_corporate_action;
extern const struct mf_event_table mf_event_table_feed_status, mf_event_table_heartbeat,
    mf_event_table_metric;
extern const struct mf_event_table mf_event_table_alert, mf_event_table_dead_letter;

#endif
