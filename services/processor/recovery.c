// SPDX-License-Identifier: Apache-2.0
#include "services/processor/recovery.h"

#include <stdlib.h>

#define BUCKETS_MIN 1024

struct entry { // the newest record of a key
    struct entry *next;
    uint64_t hash;
    char *value;
    size_t value_len;
    enum mf_topic_role role;
    int32_t number;
    unsigned part;
    bool cell; // of a cell, else of the partition itself
    size_t key_len;
    char key[];
};

struct wanted {
    enum mf_topic_role role;
    int32_t number;
};

struct prc_recovery {
    struct entry **buckets;
    size_t bucket_count, count;
    struct wanted *wanted;
    size_t wanted_count;
    uint64_t records;
    struct mf_buf whole; // a snapshot's parts put together
};

struct prc_recovery *prc_recovery_new(void)
{
    struct prc_recovery *recovery = mf_calloc(1, sizeof *recovery);
    recovery->bucket_count = BUCKETS_MIN;
    recovery->buckets = mf_calloc(BUCKETS_MIN, sizeof(struct entry *));
    mf_buf_init(&recovery->whole, PRC_SNAPSHOT_BYTES_MAX);
    return recovery;
}

static void entry_free(struct entry *entry)
{
    free(entry->value);
    free(entry);
}

void prc_recovery_free(struct prc_recovery **out)
{
    struct prc_recovery *recovery = *out;
    if (recovery == NULL)
        return;
    for (size_t b = 0; b < recovery->bucket_count; b++) {
        struct entry *next = NULL;
        for (struct entry *entry = recovery->buckets[b]; entry != NULL; entry = next) {
            next = entry->next;
            entry_free(entry);
        }
    }
    free(recovery->buckets);
    free(recovery->wanted);
    mf_buf_free(&recovery->whole);
    free(recovery);
    *out = NULL;
}

void prc_recovery_want(struct prc_recovery *recovery, enum mf_topic_role role, int32_t number)
{
    recovery->wanted = mf_realloc(recovery->wanted, (recovery->wanted_count + 1) * sizeof *recovery->wanted);
    recovery->wanted[recovery->wanted_count++] = (struct wanted){role, number};
}

uint64_t prc_recovery_records(const struct prc_recovery *recovery)
{
    return recovery->records;
}

// ---------------------------------------------------------------- the newest per key

static bool is_wanted(const struct prc_recovery *recovery, const struct prc_changelog_key *key)
{
    for (size_t i = 0; i < recovery->wanted_count; i++)
        if (recovery->wanted[i].role == key->role && recovery->wanted[i].number == key->partition)
            return true;
    return false;
}

// Where the entry of that key hangs, or would.
static struct entry **place_of(struct prc_recovery *recovery, struct mf_str key, uint64_t hash)
{
    struct entry **place = &recovery->buckets[hash & (recovery->bucket_count - 1)];
    while (*place != NULL && ((*place)->hash != hash || (*place)->key_len != key.len ||
                              memcmp((*place)->key, key.data, key.len) != 0))
        place = &(*place)->next;
    return place;
}

static void grow(struct prc_recovery *recovery)
{
    size_t count = recovery->bucket_count * 2;
    struct entry **buckets = mf_calloc(count, sizeof(struct entry *));
    for (size_t b = 0; b < recovery->bucket_count; b++) {
        struct entry *next = NULL;
        for (struct entry *entry = recovery->buckets[b]; entry != NULL; entry = next) {
            next = entry->next;
            entry->next = buckets[entry->hash & (count - 1)];
            buckets[entry->hash & (count - 1)] = entry;
        }
    }
    free(recovery->buckets);
    recovery->buckets = buckets;
    recovery->bucket_count = count;
}

static void drop(struct prc_recovery *recovery, struct entry **place)
{
    struct entry *entry = *place;
    *place = entry->next;
    entry_free(entry);
    recovery->count--;
}

static void put(struct prc_recovery *recovery, const struct prc_changelog_key *parsed, struct mf_str key,
                struct mf_str value)
{
    uint64_t hash = mf_hash64(key.data, key.len);
    struct entry **place = place_of(recovery, key, hash);
    if (value.data == NULL) {
        if (*place != NULL)
            drop(recovery, place);
        return;
    }
    struct entry *entry = *place;
    if (entry == NULL) {
        entry = mf_calloc(1, sizeof *entry + key.len);
        entry->hash = hash;
        entry->role = parsed->role;
        entry->number = parsed->partition;
        entry->part = parsed->part;
        entry->cell = parsed->lane.len > 0;
        entry->key_len = key.len;
        memcpy(entry->key, key.data, key.len);
        *place = entry;
        if (++recovery->count > recovery->bucket_count)
            grow(recovery);
    }
    if (entry->value_len != value.len)
        entry->value = mf_realloc(entry->value, value.len);
    memcpy(entry->value, value.data, value.len);
    entry->value_len = value.len;
}

int prc_recovery_add(struct prc_recovery *recovery, int32_t changelog_partition, int64_t offset,
                     struct mf_str key, struct mf_str value, struct mf_error *err)
{
    struct prc_changelog_key parsed;
    recovery->records++;
    if (key.data == NULL || key.len >= PRC_CHANGELOG_KEY_MAX || !prc_changelog_key_parse(key, &parsed) ||
        parsed.partition != changelog_partition || (value.data != NULL && value.len == 0))
        return mf_error_set(
            err, MF_ERROR_FATAL, "state_corrupt",
            "the record at offset %lld of partition %d of the changelog is not the processor's: "
            "somebody else writes to the topic",
            (long long)offset, (int)changelog_partition);
    if (is_wanted(recovery, &parsed))
        put(recovery, &parsed, key, value);
    return 0;
}

// ---------------------------------------------------------------- back to state

static struct entry *entry_of(struct prc_recovery *recovery, const struct prc_changelog_key *key)
{
    char text[PRC_CHANGELOG_KEY_MAX];
    struct mf_str name = prc_changelog_key_text(key, text);
    return *place_of(recovery, name, mf_hash64(name.data, name.len));
}

static int decode_part(const struct entry *entry, struct prc_part *part, struct mf_error *err)
{
    struct mf_str value = {entry->value, entry->value_len};
    if (prc_part_decode(value, part, err) < 0)
        return mf_error_prefix(err, "key %.*s", (int)entry->key_len, entry->key);
    if (part->part != (entry->cell ? entry->part : 0))
        return mf_error_set(err, MF_ERROR_FATAL, "state_corrupt", "key %.*s holds part %u",
                            (int)entry->key_len, entry->key, part->part);
    return 0;
}

void prc_recovered_clear(struct prc_recovered *recovered)
{
    mf_buf_free(&recovered->words);
    *recovered = (struct prc_recovered){0};
}

static int load_rules(struct prc_recovery *recovery, const struct prc_partition *partition,
                      struct prc_recovered *recovered, struct mf_error *err)
{
    struct prc_changelog_key key = {
        .role = partition->role, .partition = partition->number, .part = PRC_RULES_PART};
    const struct entry *entry = entry_of(recovery, &key);
    struct prc_part part;
    mf_buf_init(&recovered->words, (size_t)1024 * 1024);
    if (entry == NULL)
        return mf_error_set(err, MF_ERROR_CONFIG, "state_missing",
                            "the changelog holds no rules for partition %d: it was truncated",
                            (int)partition->number);
    if (decode_part(entry, &part, err) < 0 ||
        prc_rules_decode(part.bytes, &recovered->rules, &recovered->words, err) < 0)
        return -1;
    if (prc_rules_hash(&recovered->rules) != recovered->record.rules)
        return mf_error_set(err, MF_ERROR_FATAL, "state_corrupt",
                            "the rules on the changelog are not those of partition %d's record",
                            (int)partition->number);
    return 0;
}

int prc_recovery_record(struct prc_recovery *recovery, struct prc_partition *partition,
                        struct prc_recovered *recovered, struct mf_error *err)
{
    struct prc_changelog_key key = {.role = partition->role, .partition = partition->number};
    const struct entry *entry = entry_of(recovery, &key);
    struct prc_part part;
    *recovered = (struct prc_recovered){.found = entry != NULL};
    if (entry == NULL)
        return 0;
    if (decode_part(entry, &part, err) < 0 ||
        prc_partition_decode(part.bytes, &recovered->record, partition, err) < 0)
        return -1;
    if (recovered->record.floor > recovered->record.committed)
        return mf_error_set(err, MF_ERROR_FATAL, "state_corrupt",
                            "the record of partition %d has its floor above its committed offset",
                            (int)partition->number);
    return load_rules(recovery, partition, recovered, err);
}

// Puts the parts of a snapshot together, in recovery->whole. `first` is part 0; the others are let go.
static int assemble(struct prc_recovery *recovery, const struct entry *first, struct prc_changelog_key key,
                    int64_t *offset, struct mf_error *err)
{
    struct prc_part part;
    mf_buf_clear(&recovery->whole);
    if (decode_part(first, &part, err) < 0)
        return -1;
    *offset = part.offset;
    mf_buf_add_str(&recovery->whole, part.bytes);
    unsigned parts = part.parts;
    for (unsigned i = 1; i < parts; i++) {
        char text[PRC_CHANGELOG_KEY_MAX];
        key.part = i;
        struct mf_str name = prc_changelog_key_text(&key, text);
        struct entry **place = place_of(recovery, name, mf_hash64(name.data, name.len));
        if (*place == NULL || decode_part(*place, &part, err) < 0 || part.parts != parts ||
            part.offset != *offset)
            return mf_error_set(err, MF_ERROR_FATAL, "state_corrupt",
                                "part %u of %u of %.*s is missing on the changelog, or of another snapshot",
                                i, parts, (int)first->key_len, first->key);
        mf_buf_add_str(&recovery->whole, part.bytes);
        drop(recovery, place);
    }
    return 0;
}

static int load_cell(struct prc_recovery *recovery, struct prc_partition *partition,
                     const struct entry *first, struct mf_error *err)
{
    struct prc_changelog_key key;
    int64_t offset = 0;
    bool ours = prc_changelog_key_parse((struct mf_str){first->key, first->key_len}, &key);
    assert(ours);
    if (assemble(recovery, first, key, &offset, err) < 0)
        return -1;
    return prc_cell_decode(partition, key.lane, key.symbol, offset, mf_buf_str(&recovery->whole), err);
}

static bool is_of(const struct entry *entry, enum mf_topic_role role, int32_t number)
{
    return entry->cell && entry->role == role && entry->number == number;
}

int prc_recovery_cells(struct prc_recovery *recovery, struct prc_partition *partition,
                       struct prc_recovered *recovered, struct mf_error *err)
{
    // First parts first: each takes its others along, wherever they hang.
    for (unsigned round = 0; round < 2; round++)
        for (size_t b = 0; b < recovery->bucket_count; b++) {
            struct entry **place = &recovery->buckets[b];
            while (*place != NULL) {
                struct entry *entry = *place;
                if (!is_of(entry, partition->role, partition->number) || (round == 0 && entry->part > 0)) {
                    place = &entry->next;
                    continue;
                }
                if (round > 0)
                    return mf_error_set(err, MF_ERROR_FATAL, "state_corrupt",
                                        "%.*s on the changelog belongs to no snapshot", (int)entry->key_len,
                                        entry->key);
                *place = entry->next; // out of the table, so that its other parts can be dropped around it
                recovery->count--;
                int result = load_cell(recovery, partition, entry, err);
                entry_free(entry);
                if (result < 0)
                    return -1;
                recovered->cells++;
                place = &recovery->buckets[b];
            }
        }
    if (recovered->cells != recovered->record.cells)
        return mf_error_set(
            err, MF_ERROR_CONFIG, "state_missing",
            "the changelog holds the state of %zu symbols of partition %d, of which %llu were "
            "stored: it was truncated",
            recovered->cells, (int)partition->number, (unsigned long long)recovered->record.cells);
    return 0;
}

void prc_recovery_keys(const struct prc_recovery *recovery, enum mf_topic_role role, int32_t number,
                       struct mf_buf *keys)
{
    for (size_t b = 0; b < recovery->bucket_count; b++)
        for (const struct entry *entry = recovery->buckets[b]; entry != NULL; entry = entry->next)
            if (is_of(entry, role, number)) {
                mf_buf_add(keys, entry->key, entry->key_len);
                mf_buf_add_char(keys, '\n');
            }
}
