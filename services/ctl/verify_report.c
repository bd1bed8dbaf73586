// SPDX-License-Identifier: Apache-2.0
// What verify says: a table for people, one JSON object for programs. Lists are as long as was asked for, and
// say when there was more. Nothing is owned.
#include <inttypes.h>

#include "common/json_writer.h"
#include "services/ctl/verify.h"

#define JSON_MAX ((size_t)64 * 1024 * 1024)

static bool is_pending(const struct ctl_verification *v, const struct ctl_open *open)
{
    return open->record.offset >= v->tables[open->table].partitions[open->record.partition].stored;
}

// ---- for people

static void print_partition(const struct ctl_table_state *table, size_t number, int width, FILE *out)
{
    const struct ctl_partition_state *p = &table->partitions[number];
    fprintf(out,
            "%-*s %5zu %10" PRId64 " %10" PRId64 " %10" PRId64 " %10" PRIu64 " %10" PRIu64 " %8" PRIu64
            " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %10" PRId64 "\n",
            width, table->topic, number, p->range.low, p->range.high, p->stored, p->records, p->by_row,
            p->by_letter, p->missing, p->doubled, p->pending, p->range.low);
}

static void print_open(const struct ctl_verification *v, bool pending, size_t list_max, FILE *out)
{
    size_t shown = 0;
    for (size_t i = 0; i < v->open_count && shown < list_max; i++) {
        const struct ctl_open *open = &v->open[i];
        if (is_pending(v, open) != pending)
            continue;
        shown++;
        fprintf(out, "%s: %s [%" PRId32 "] offset %" PRId64, pending ? "pending" : "missing",
                v->tables[open->table].topic, open->record.partition, open->record.offset);
        if (open->record.event_id[0] != '\0')
            fprintf(out, " event_id %s revision %" PRId64 " is not in raw.%s\n", open->record.event_id,
                    open->record.revision, mf_raw_tables[open->table].name);
        else
            fprintf(out, " is no event, and no dead letter names it\n");
    }
}

static void print_doubled(const struct ctl_verification *v, size_t list_max, FILE *out)
{
    for (size_t i = 0; i < v->doubled_count && i < list_max; i++) {
        const struct ctl_doubled *d = &v->doubled[i];
        if (d->partition >= 0)
            fprintf(out, "doubled: %s [%" PRId32 "] offset %" PRId64 " has %" PRIu64 " rows in raw.%s\n",
                    v->tables[d->table].topic, d->partition, d->offset, d->rows,
                    mf_raw_tables[d->table].name);
        else
            fprintf(out, "doubled: event_id %s revision %" PRId64 " has %" PRIu64 " rows in raw.%s\n",
                    d->event_id, d->revision, d->rows, mf_raw_tables[d->table].name);
    }
}

void ctl_verify_print_table(const struct ctl_verification *v, size_t list_max, FILE *out)
{
    int width = (int)strlen("topic"), exit_code = 0;
    for (size_t t = 0; t < MF_RAW_MAX; t++) {
        if (v->tables[t].chosen && (int)strlen(v->tables[t].topic) > width)
            width = (int)strlen(v->tables[t].topic);
    }
    fprintf(out, "%-*s %5s %10s %10s %10s %10s %10s %8s %8s %8s %8s %10s\n", width, "topic", "part", "low",
            "end", "stored", "records", "rows", "letters", "missing", "doubled", "pending", "below log");
    for (size_t t = 0; t < MF_RAW_MAX; t++) {
        for (size_t p = 0; v->tables[t].chosen && p < v->tables[t].partition_count; p++)
            print_partition(&v->tables[t], p, width, out);
    }
    print_open(v, false, list_max, out);
    print_doubled(v, list_max, out);
    print_open(v, true, list_max, out);
    struct ctl_totals totals = ctl_totals(v);
    const char *verdict = ctl_verdict(&totals, &exit_code);
    fprintf(out,
            "%s: %" PRIu64 " records, %" PRIu64 " with a row, %" PRIu64 " with a dead letter, %" PRIu64
            " missing, %" PRIu64 " doubled, %" PRIu64 " not loaded yet, %" PRIu64
            " offsets below the log's start cannot be verified\n",
            verdict, totals.records, totals.by_row, totals.by_letter, totals.missing, totals.doubled,
            totals.pending, totals.unverifiable);
}

// ---- for programs

static void write_partition(struct mf_json_writer *w, size_t place, const struct ctl_partition_state *p)
{
    mf_jw_object_begin(w);
    mf_jw_member_u64(w, "partition", place);
    mf_jw_key(w, "low");
    mf_jw_i64(w, p->range.low);
    mf_jw_key(w, "end");
    mf_jw_i64(w, p->range.high);
    mf_jw_key(w, "stored");
    mf_jw_i64(w, p->stored);
    mf_jw_member_u64(w, "records", p->records);
    mf_jw_member_u64(w, "rows", p->by_row);
    mf_jw_member_u64(w, "dead_letters", p->by_letter);
    mf_jw_member_u64(w, "missing", p->missing);
    mf_jw_member_u64(w, "doubled", p->doubled);
    mf_jw_member_u64(w, "pending", p->pending);
    mf_jw_member_u64(w, "unverifiable", (uint64_t)p->range.low);
    mf_jw_object_end(w);
}

static void write_tables(struct mf_json_writer *w, const struct ctl_verification *v)
{
    mf_jw_key(w, "topics");
    mf_jw_array_begin(w);
    for (size_t t = 0; t < MF_RAW_MAX; t++) {
        if (!v->tables[t].chosen)
            continue;
        mf_jw_object_begin(w);
        mf_jw_member_text(w, "topic", v->tables[t].topic);
        mf_jw_member_text(w, "table", mf_raw_tables[t].name);
        mf_jw_member_u64(w, "doubled_keys", v->tables[t].doubled_keys);
        mf_jw_key(w, "partitions");
        mf_jw_array_begin(w);
        for (size_t p = 0; p < v->tables[t].partition_count; p++)
            write_partition(w, p, &v->tables[t].partitions[p]);
        mf_jw_array_end(w);
        mf_jw_object_end(w);
    }
    mf_jw_array_end(w);
}

static void write_open(struct mf_json_writer *w, const char *key, const struct ctl_verification *v,
                       bool pending, size_t list_max)
{
    size_t shown = 0;
    mf_jw_key(w, key);
    mf_jw_array_begin(w);
    for (size_t i = 0; i < v->open_count && shown < list_max; i++) {
        const struct ctl_open *open = &v->open[i];
        if (is_pending(v, open) != pending)
            continue;
        shown++;
        mf_jw_object_begin(w);
        mf_jw_member_text(w, "topic", v->tables[open->table].topic);
        mf_jw_key(w, "partition");
        mf_jw_i64(w, open->record.partition);
        mf_jw_key(w, "offset");
        mf_jw_i64(w, open->record.offset);
        if (open->record.event_id[0] != '\0') {
            mf_jw_member_text(w, "event_id", open->record.event_id);
            mf_jw_key(w, "revision");
            mf_jw_i64(w, open->record.revision);
        }
        mf_jw_object_end(w);
    }
    mf_jw_array_end(w);
}

static void write_doubled(struct mf_json_writer *w, const struct ctl_verification *v, size_t list_max)
{
    mf_jw_key(w, "doubled_list");
    mf_jw_array_begin(w);
    for (size_t i = 0; i < v->doubled_count && i < list_max; i++) {
        const struct ctl_doubled *d = &v->doubled[i];
        mf_jw_object_begin(w);
        mf_jw_member_text(w, "table", mf_raw_tables[d->table].name);
        if (d->partition >= 0) {
            mf_jw_member_text(w, "topic", v->tables[d->table].topic);
            mf_jw_key(w, "partition");
            mf_jw_i64(w, d->partition);
            mf_jw_key(w, "offset");
            mf_jw_i64(w, d->offset);
        } else {
            mf_jw_member_text(w, "event_id", d->event_id);
            mf_jw_key(w, "revision");
            mf_jw_i64(w, d->revision);
        }
        mf_jw_member_u64(w, "rows", d->rows);
        mf_jw_object_end(w);
    }
    mf_jw_array_end(w);
}

static void write_totals(struct mf_json_writer *w, const struct ctl_totals *totals)
{
    mf_jw_member_u64(w, "offsets", totals->offsets);
    mf_jw_member_u64(w, "records", totals->records);
    mf_jw_member_u64(w, "rows", totals->by_row);
    mf_jw_member_u64(w, "dead_letters", totals->by_letter);
    mf_jw_member_u64(w, "missing", totals->missing);
    mf_jw_member_u64(w, "doubled", totals->doubled);
    mf_jw_member_u64(w, "pending", totals->pending);
    mf_jw_member_u64(w, "unverifiable", totals->unverifiable);
}

bool ctl_verify_print_json(const struct ctl_verification *v, const char *group, size_t list_max, FILE *out)
{
    struct mf_buf buf;
    struct mf_json_writer w;
    int exit_code = 0;
    struct ctl_totals totals = ctl_totals(v);
    mf_buf_init(&buf, JSON_MAX);
    mf_jw_init(&w, &buf);
    mf_jw_object_begin(&w);
    mf_jw_member_text(&w, "verdict", ctl_verdict(&totals, &exit_code));
    mf_jw_member_text(&w, "group", group);
    write_totals(&w, &totals);
    write_tables(&w, v);
    write_open(&w, "missing_list", v, false, list_max);
    write_doubled(&w, v, list_max);
    write_open(&w, "pending_list", v, true, list_max);
    mf_jw_key(&w, "lists_cut");
    mf_jw_bool(&w, v->open_cut || totals.missing > list_max || totals.doubled > list_max ||
                       totals.pending > list_max);
    mf_jw_object_end(&w);
    bool fits = !buf.overflow;
    if (fits)
        fprintf(out, "%s\n", mf_buf_c_str(&buf));
    mf_buf_free(&buf);
    return fits;
}
