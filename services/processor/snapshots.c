// SPDX-License-Identifier: Apache-2.0
#include "services/processor/snapshots.h"

#include <stdlib.h>

#define PARTITION_RECORD_MAX ((size_t)512 * 1024)
#define KEEP_BYTES ((size_t)256 * 1024) // of a buffer between two uses

// ---------------------------------------------------------------- clocks by offset

static struct prc_lane *copy_lane(const struct prc_lane *lane)
{
    struct prc_lane *copy = mf_calloc(1, sizeof *copy);
    copy->lane = mf_strdup(lane->lane);
    copy->clock_us = lane->clock_us;
    copy->clock_count = lane->clock_count;
    copy->clocks = lane->clock_count > 0 ? mf_calloc(lane->clock_count, sizeof *copy->clocks) : NULL;
    for (size_t i = 0; i < lane->clock_count; i++) {
        copy->clocks[i].feed = mf_strdup(lane->clocks[i].feed);
        copy->clocks[i].complete_to_us = lane->clocks[i].complete_to_us;
    }
    return copy;
}

static void free_lanes(struct prc_lane *lanes)
{
    while (lanes != NULL) {
        struct prc_lane *lane = lanes;
        lanes = lane->next;
        for (size_t i = 0; i < lane->clock_count; i++)
            free(lane->clocks[i].feed);
        free(lane->clocks);
        free(lane->lane);
        free(lane);
    }
}

// Only the floors that there may still be are asked for: where a dirty cell became so, and the end. In a long
// replay, which stores nothing, all between goes.
static void thin(struct prc_history *history, const struct prc_partition *partition)
{
    const struct prc_cell *cell = partition->dirty_oldest;
    size_t kept = 0;
    for (size_t i = history->start; i < history->count; i++) {
        struct prc_clocks_at entry = history->entries[i];
        bool newest = i + 1 == history->count, needed = newest;
        for (; cell != NULL && (newest || cell->dirty_at < history->entries[i + 1].offset);
             cell = cell->newer)
            needed = true;
        if (needed)
            history->entries[kept++] = entry;
        else
            free_lanes(entry.lanes);
    }
    history->start = 0;
    history->count = kept;
    history->thin_at = 2 * (kept > PRC_HISTORY_MAX ? kept : PRC_HISTORY_MAX);
}

void prc_history_note(struct prc_history *history, int64_t offset, const struct prc_partition *partition)
{
    if (history->count == history->capacity) {
        history->capacity = history->capacity > 0 ? history->capacity * 2 : 16;
        history->entries = mf_realloc(history->entries, history->capacity * sizeof *history->entries);
    }
    struct prc_lane *lanes = NULL, **end = &lanes;
    for (const struct prc_lane *lane = partition->lanes; lane != NULL; lane = lane->next) {
        if (lane->clock_us == 0 && lane->clock_count == 0)
            continue;
        *end = copy_lane(lane);
        end = &(*end)->next;
    }
    history->entries[history->count++] = (struct prc_clocks_at){offset, lanes};
    size_t limit = history->thin_at > 0 ? history->thin_at : 2 * PRC_HISTORY_MAX;
    if (history->count - history->start > limit)
        thin(history, partition);
}

const struct prc_lane *prc_history_at(const struct prc_history *history, int64_t offset)
{
    for (size_t i = history->count; i > history->start; i--)
        if (history->entries[i - 1].offset <= offset)
            return history->entries[i - 1].lanes;
    return NULL;
}

void prc_history_trim(struct prc_history *history, int64_t floor)
{
    // The last one at or below the floor is the floor's.
    while (history->start + 1 < history->count && history->entries[history->start + 1].offset <= floor)
        free_lanes(history->entries[history->start++].lanes);
    if (history->start <= history->count / 2)
        return;
    memmove(history->entries, history->entries + history->start,
            (history->count - history->start) * sizeof *history->entries);
    history->count -= history->start;
    history->start = 0;
}

void prc_history_clear(struct prc_history *history)
{
    for (size_t i = history->start; i < history->count; i++)
        free_lanes(history->entries[i].lanes);
    free(history->entries);
    *history = (struct prc_history){0};
}

// ---------------------------------------------------------------- records

const char *prc_changelog_kind_name(enum prc_changelog_kind kind)
{
    static const char *const names[PRC_CHANGELOG_KIND_MAX] = {"cell", "partition", "rules", "tombstone"};
    assert(kind < PRC_CHANGELOG_KIND_MAX);
    return names[kind];
}

void prc_changelog_init(struct prc_changelog *changelog, int share_pct,
                        int (*put)(void *arg, int32_t number, struct mf_str key, struct mf_str value,
                                   struct mf_error *err),
                        void *arg)
{
    *changelog = (struct prc_changelog){.put = put, .arg = arg, .share_pct = share_pct};
    mf_buf_init(&changelog->whole, PRC_SNAPSHOT_BYTES_MAX);
    mf_buf_init(&changelog->part, PRC_PART_BYTES_MAX + 64);
}

void prc_changelog_free(struct prc_changelog *changelog)
{
    mf_buf_free(&changelog->whole);
    mf_buf_free(&changelog->part);
}

void prc_changelog_earn(struct prc_changelog *changelog, size_t output_bytes)
{
    changelog->allowance += (int64_t)output_bytes * changelog->share_pct / 100;
    if (changelog->allowance > PRC_ALLOWANCE_MAX)
        changelog->allowance = PRC_ALLOWANCE_MAX;
}

static int put(struct prc_changelog *changelog, enum prc_changelog_kind kind, int32_t number,
               struct mf_str key, struct mf_str value, struct mf_error *err)
{
    if (changelog->put(changelog->arg, number, key, value, err) < 0)
        return -1;
    changelog->records[kind]++;
    changelog->bytes[kind] += key.len + value.len;
    changelog->allowance -= (int64_t)(key.len + value.len);
    if (changelog->allowance < -PRC_ALLOWANCE_MAX) // quiet days must not be paid for later
        changelog->allowance = -PRC_ALLOWANCE_MAX;
    return 0;
}

// One part of changelog->whole under its key.
static int put_part(struct prc_changelog *changelog, enum prc_changelog_kind kind,
                    const struct prc_changelog_key *key, const struct prc_part *part, struct mf_error *err)
{
    char text[PRC_CHANGELOG_KEY_MAX];
    mf_buf_clear(&changelog->part);
    prc_part_encode(part, &changelog->part);
    assert(!changelog->part.overflow);
    return put(changelog, kind, key->partition, prc_changelog_key_text(key, text),
               mf_buf_str(&changelog->part), err);
}

static int put_parts(struct prc_changelog *changelog, struct prc_changelog_key *key, int64_t offset,
                     unsigned parts, struct mf_error *err)
{
    struct prc_part part = {.parts = parts, .offset = offset};
    for (part.part = 0; part.part < parts; part.part++) {
        size_t from = part.part * PRC_PART_BYTES_MAX, rest = changelog->whole.len - from;
        part.bytes = (struct mf_str){changelog->whole.data + from,
                                     rest < PRC_PART_BYTES_MAX ? rest : PRC_PART_BYTES_MAX};
        key->part = part.part;
        if (put_part(changelog, PRC_CHANGELOG_CELL, key, &part, err) < 0)
            return -1;
    }
    return 0;
}

int64_t prc_changelog_cell(struct prc_changelog *changelog, struct prc_partition *partition,
                           struct prc_cell *cell, int64_t offset, struct mf_error *err)
{
    struct prc_changelog_key key = {.role = partition->role,
                                    .partition = partition->number,
                                    .lane = mf_str_of(cell->lane),
                                    .symbol = mf_str_of(cell->symbol)};
    mf_buf_clear(&changelog->whole);
    prc_cell_encode(cell, &changelog->whole);
    if (changelog->whole.overflow)
        return mf_error_set(err, MF_ERROR_FATAL, "state_limit",
                            "the state of %s in lane %s is larger than a snapshot may be (%zu bytes)",
                            cell->symbol, cell->lane, PRC_SNAPSHOT_BYTES_MAX);
    unsigned parts = prc_parts_of(changelog->whole.len);
    int64_t bytes = (int64_t)changelog->whole.len;
    if (put_parts(changelog, &key, offset, parts, err) < 0)
        return -1;
    for (key.part = parts; key.part < cell->parts; key.part++) {
        char text[PRC_CHANGELOG_KEY_MAX];
        if (put(changelog, PRC_CHANGELOG_TOMBSTONE, partition->number, prc_changelog_key_text(&key, text),
                MF_STR_NULL, err) < 0)
            return -1;
    }
    partition->stored += cell->parts == 0;
    cell->parts = (uint16_t)parts;
    prc_cell_clean(partition, cell);
    mf_buf_clear(&changelog->whole);
    mf_buf_trim(&changelog->whole, KEEP_BYTES);
    return bytes;
}

int prc_changelog_removed(struct prc_changelog *changelog, struct prc_partition *partition,
                          struct mf_error *err)
{
    const char *at = partition->removed.data, *end = at + partition->removed.len;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        assert(stop != NULL);
        if (put(changelog, PRC_CHANGELOG_TOMBSTONE, partition->number,
                (struct mf_str){at, (size_t)(stop - at)}, MF_STR_NULL, err) < 0)
            return -1;
        at = stop + 1;
    }
    mf_buf_clear(&partition->removed);
    mf_buf_trim(&partition->removed, KEEP_BYTES);
    return 0;
}

// A record of the partition itself.
static int put_own(struct prc_changelog *changelog, const struct prc_partition *partition,
                   enum prc_changelog_kind kind, int64_t committed, const struct mf_buf *bytes,
                   struct mf_error *err)
{
    struct prc_changelog_key key = {.role = partition->role,
                                    .partition = partition->number,
                                    .part = kind == PRC_CHANGELOG_RULES ? PRC_RULES_PART : 0};
    struct prc_part part = {.parts = 1, .offset = committed, .bytes = mf_buf_str(bytes)};
    return put_part(changelog, kind, &key, &part, err);
}

int prc_changelog_record(struct prc_changelog *changelog, const struct prc_partition *partition,
                         const struct prc_partition_record *record, const struct prc_lane *lanes,
                         struct mf_error *err)
{
    struct mf_buf bytes;
    mf_buf_init(&bytes, PARTITION_RECORD_MAX);
    prc_partition_encode(record, lanes, &bytes);
    int result = bytes.overflow
                     ? mf_error_set(err, MF_ERROR_FATAL, "state_limit",
                                    "the clocks of partition %d take more than %zu bytes",
                                    (int)partition->number, PARTITION_RECORD_MAX)
                     : put_own(changelog, partition, PRC_CHANGELOG_PARTITION, record->committed, &bytes, err);
    mf_buf_free(&bytes);
    return result;
}

int prc_changelog_rules(struct prc_changelog *changelog, const struct prc_partition *partition,
                        int64_t committed, const struct prc_rule_config *rules, struct mf_error *err)
{
    struct mf_buf bytes;
    mf_buf_init(&bytes, PARTITION_RECORD_MAX);
    prc_rules_encode(rules, &bytes);
    assert(!bytes.overflow); // 64 words of 4 KiB and the thresholds
    int result = put_own(changelog, partition, PRC_CHANGELOG_RULES, committed, &bytes, err);
    mf_buf_free(&bytes);
    return result;
}

int64_t prc_partition_floor(const struct prc_partition *partition, int64_t next)
{
    return partition->dirty_oldest != NULL ? partition->dirty_oldest->dirty_at : next;
}
