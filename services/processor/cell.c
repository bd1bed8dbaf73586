// SPDX-License-Identifier: Apache-2.0
#include "services/processor/cell.h"

#include <stddef.h>
#include <stdlib.h>

#include "services/processor/codec.h"

#define BUCKETS_MIN 256
#define RECENT_FIRST ((size_t)4)
#define REMOVED_MAX ((size_t)1 << 30) // bytes of changelog keys: some millions of cells
static_assert((PRC_RECENT & (PRC_RECENT - 1)) == 0, "the list of recent keys doubles until it is a ring");

struct prc_partition *prc_partition_new(enum mf_topic_role role, int32_t number, size_t max_cells)
{
    struct prc_partition *partition = mf_calloc(1, sizeof(*partition));
    partition->role = role;
    partition->number = number;
    partition->max_cells = max_cells;
    partition->bucket_count = BUCKETS_MIN;
    partition->buckets = mf_calloc(partition->bucket_count, sizeof(struct prc_cell *));
    mf_buf_init(&partition->removed, REMOVED_MAX);
    return partition;
}

static void group_free(struct prc_group *group)
{
    for (int i = 0; group != NULL && i < MF_INTERVAL_MAX; i++) {
        prc_series_free(&group->vendor[i]);
        prc_series_free(&group->derived[i]);
    }
    free(group);
}

static void cell_free(struct prc_cell *cell)
{
    for (size_t i = 0; i < cell->group_count; i++)
        group_free(cell->groups[i]);
    for (size_t i = 0; i < cell->recent_capacity; i++)
        free(cell->recent[i].alerts);
    free(cell->recent);
    prc_contracts_clear(&cell->contracts);
    free(cell->articles);
    free(cell->name);
    free(cell->exchange);
    free(cell->type);
    free(cell->symbol);
    free(cell);
}

static void forget_clocks(struct prc_lane *lane)
{
    for (size_t i = 0; i < lane->clock_count; i++)
        free(lane->clocks[i].feed);
    free(lane->clocks);
    lane->clocks = NULL;
    lane->clock_count = 0;
    lane->clock_us = 0;
}

static void lane_free(struct prc_lane *lane)
{
    forget_clocks(lane);
    free(lane->lane);
    free(lane);
}

void prc_partition_free(struct prc_partition **out)
{
    struct prc_partition *partition = *out;
    if (partition == NULL)
        return;
    for (size_t b = 0; b < partition->bucket_count; b++)
        while (partition->buckets[b] != NULL) {
            struct prc_cell *cell = partition->buckets[b];
            partition->buckets[b] = cell->next;
            cell_free(cell);
        }
    while (partition->lanes != NULL) {
        struct prc_lane *lane = partition->lanes;
        partition->lanes = lane->next;
        lane_free(lane);
    }
    free(partition->buckets);
    mf_buf_free(&partition->removed);
    free(partition);
    *out = NULL;
}

static size_t cell_bytes(const struct prc_cell *cell)
{
    size_t bytes = sizeof(*cell) + cell->symbol_len + 1 + prc_contracts_bytes(&cell->contracts);
    bytes += cell->recent_capacity * sizeof(*cell->recent);
    bytes += cell->articles != NULL ? PRC_ARTICLES * sizeof(*cell->articles) : 0;
    for (size_t i = 0; i < cell->recent_count; i++)
        if (cell->recent[(cell->recent_start + i) % PRC_RECENT].alerts != NULL)
            bytes += PRC_NEWS_RULE_MAX * sizeof(struct prc_recent_alert);
    const char *const texts[] = {cell->name, cell->exchange, cell->type};
    for (size_t i = 0; i < MF_ARRAY_LEN(texts); i++)
        bytes += texts[i] != NULL ? strlen(texts[i]) + 1 : 0;
    for (size_t g = 0; g < cell->group_count; g++) {
        bytes += sizeof(*cell->groups[g]);
        for (int i = 0; i < MF_INTERVAL_MAX; i++) {
            const struct prc_group *group = cell->groups[g];
            bytes += group->vendor[i] != NULL ? prc_series_bytes(group->vendor[i]) : 0;
            bytes += group->derived[i] != NULL ? prc_series_bytes(group->derived[i]) : 0;
        }
    }
    return bytes;
}

size_t prc_partition_bytes(const struct prc_partition *partition)
{
    size_t bytes = sizeof(*partition) + partition->bucket_count * sizeof(struct prc_cell *);
    for (size_t b = 0; b < partition->bucket_count; b++)
        for (const struct prc_cell *cell = partition->buckets[b]; cell != NULL; cell = cell->next)
            bytes += cell_bytes(cell);
    return bytes;
}

static bool is_lane(const struct prc_lane *lane, struct mf_str name)
{
    return lane->lane_len == name.len && memcmp(lane->lane, name.data, name.len) == 0;
}

struct prc_lane *prc_partition_lane(struct prc_partition *partition, struct mf_str name, bool make)
{
    struct prc_lane *last = partition->last_lane;
    if (last != NULL && is_lane(last, name))
        return last;
    struct prc_lane **at = &partition->lanes;
    size_t count = 0;
    for (; *at != NULL && !is_lane(*at, name); at = &(*at)->next)
        count++;
    if (*at == NULL) {
        if (!make || count >= PRC_LANES_MAX)
            return NULL;
        *at = mf_calloc(1, sizeof(**at));
        (*at)->lane = mf_strndup(name);
        (*at)->lane_len = name.len;
        (*at)->hash = mf_hash64(name.data, name.len);
    }
    return partition->last_lane = *at;
}

void prc_partition_drop_lane(struct prc_partition *partition, struct mf_str name)
{
    struct prc_lane **at = &partition->lanes;
    while (*at != NULL && !is_lane(*at, name))
        at = &(*at)->next;
    struct prc_lane *lane = *at;
    if (lane == NULL)
        return;
    forget_clocks(lane);
    if (lane->cells > 0)
        return; // of a later life of the lane, restored from its snapshots
    *at = lane->next;
    partition->last_lane = NULL;
    lane_free(lane);
}

int64_t prc_lane_complete_to(const struct prc_lane *lane, const char *provider, enum mf_interval interval)
{
    size_t len = strlen(provider);
    for (size_t i = 0; i < lane->clock_count; i++) {
        const char *feed = lane->clocks[i].feed;
        if (strncmp(feed, provider, len) == 0 && strncmp(feed + len, ".bars.", 6) == 0 &&
            strcmp(feed + len + 6, mf_interval_name(interval)) == 0)
            return lane->clocks[i].complete_to_us;
    }
    return INT64_MIN;
}

bool prc_lane_move(struct prc_lane *lane, struct mf_str feed, int64_t complete_to_us)
{
    for (size_t i = 0; i < lane->clock_count; i++) {
        struct prc_clock *clock = &lane->clocks[i];
        if (!mf_str_eq_c(feed, clock->feed))
            continue;
        if (complete_to_us > clock->complete_to_us)
            clock->complete_to_us = complete_to_us;
        return true;
    }
    if (lane->clock_count == PRC_FEEDS_PER_LANE_MAX)
        return false;
    lane->clocks = mf_realloc(lane->clocks, (lane->clock_count + 1) * sizeof(*lane->clocks));
    lane->clocks[lane->clock_count++] =
        (struct prc_clock){.feed = mf_strndup(feed), .complete_to_us = complete_to_us};
    return true;
}

static void grow(struct prc_partition *partition)
{
    size_t count = partition->bucket_count * 2;
    struct prc_cell **buckets = mf_calloc(count, sizeof(struct prc_cell *));
    for (size_t i = 0; i < partition->bucket_count; i++)
        while (partition->buckets[i] != NULL) {
            struct prc_cell *cell = partition->buckets[i];
            struct prc_cell **to = &buckets[cell->hash & (count - 1)];
            partition->buckets[i] = cell->next;
            cell->next = *to;
            *to = cell;
        }
    free(partition->buckets);
    partition->buckets = buckets;
    partition->bucket_count = count;
}

static struct prc_cell *make_cell(struct prc_partition *partition, struct prc_lane *home,
                                  struct mf_str symbol, uint64_t hash)
{
    if (partition->count >= partition->bucket_count)
        grow(partition);
    struct prc_cell *cell = mf_calloc(1, sizeof(*cell));
    cell->home = home;
    cell->lane = home->lane;
    cell->symbol = mf_strndup(symbol);
    cell->symbol_len = symbol.len;
    cell->hash = hash;
    cell->dirty_at = -1;
    struct prc_cell **bucket = &partition->buckets[hash & (partition->bucket_count - 1)];
    cell->next = *bucket;
    *bucket = cell;
    partition->count++;
    home->cells++;
    return cell;
}

struct prc_cell *prc_partition_cell(struct prc_partition *partition, struct mf_str lane, struct mf_str symbol,
                                    bool make, bool *full)
{
    *full = false;
    struct prc_lane *home = prc_partition_lane(partition, lane, make);
    if (home == NULL) {
        *full = make;
        return NULL;
    }
    uint64_t hash = mf_hash64(symbol.data, symbol.len) ^ home->hash;
    struct prc_cell *cell = partition->buckets[hash & (partition->bucket_count - 1)];
    while (cell != NULL && (cell->hash != hash || cell->home != home || cell->symbol_len != symbol.len ||
                            memcmp(cell->symbol, symbol.data, symbol.len) != 0))
        cell = cell->next;
    if (cell != NULL || !make)
        return cell;
    *full = home->cells >= partition->max_cells;
    return *full ? NULL : make_cell(partition, home, symbol, hash);
}

static void ask_for(const void *what, size_t size)
{
    for (size_t at = 0; what != NULL && at < size; at += 64)
        __builtin_prefetch((const char *)what + at, 1);
}

void prc_partition_expect(const struct prc_partition *partition, struct mf_str symbol)
{
    if (partition->last_lane == NULL)
        return;
    uint64_t hash = mf_hash64(symbol.data, symbol.len) ^ partition->last_lane->hash;
    ask_for(partition->buckets[hash & (partition->bucket_count - 1)], sizeof(struct prc_cell));
}

void prc_cell_expect(const struct prc_cell *cell)
{
    if (cell->group_count > 0)
        ask_for(cell->groups[0], sizeof(*cell->groups[0]));
    if (cell->last != NULL) { // the state itself is asked for when the bar is known to be new
        ask_for(cell->last, offsetof(struct prc_series, head));
        ask_for(&cell->last->slots, sizeof(*cell->last) - offsetof(struct prc_series, slots));
    }
}

void prc_cell_dirty(struct prc_partition *partition, struct prc_cell *cell, int64_t offset)
{
    if (cell->dirty_at >= 0)
        return;
    cell->dirty_at = offset;
    cell->dirty_since_us = mf_clock_monotonic_us(); // decides when it is stored, nothing else
    cell->older = partition->dirty_newest;
    cell->newer = NULL;
    *(partition->dirty_newest != NULL ? &partition->dirty_newest->newer : &partition->dirty_oldest) = cell;
    partition->dirty_newest = cell;
    partition->dirty_count++;
}

void prc_cell_clean(struct prc_partition *partition, struct prc_cell *cell)
{
    if (cell->dirty_at < 0)
        return;
    cell->dirty_at = -1;
    *(cell->older != NULL ? &cell->older->newer : &partition->dirty_oldest) = cell->newer;
    *(cell->newer != NULL ? &cell->newer->older : &partition->dirty_newest) = cell->older;
    cell->older = cell->newer = NULL;
    partition->dirty_count--;
}

// Every part of its snapshot is to be deleted on the changelog.
static void leave_tombstones(struct prc_partition *partition, const struct prc_cell *cell)
{
    struct prc_changelog_key key = {.role = partition->role,
                                    .partition = partition->number,
                                    .lane = mf_str_of(cell->lane),
                                    .symbol = {cell->symbol, cell->symbol_len}};
    char text[PRC_CHANGELOG_KEY_MAX];
    for (key.part = 0; key.part < cell->parts; key.part++) {
        mf_buf_add_str(&partition->removed, prc_changelog_key_text(&key, text));
        mf_buf_add_char(&partition->removed, '\n');
    }
    assert(!partition->removed.overflow);
}

void prc_partition_remove(struct prc_partition *partition, struct prc_cell **out)
{
    struct prc_cell *cell = *out;
    struct prc_cell **at = &partition->buckets[cell->hash & (partition->bucket_count - 1)];
    while (*at != cell)
        at = &(*at)->next;
    *at = cell->next;
    prc_cell_clean(partition, cell);
    leave_tombstones(partition, cell);
    partition->stored -= cell->parts > 0;
    partition->count--;
    cell->home->cells--;
    cell_free(cell);
    *out = NULL;
}

struct prc_group *prc_cell_group(struct prc_cell *cell, struct mf_str provider, enum mf_adjusted adjusted,
                                 bool make)
{
    for (size_t i = 0; i < cell->group_count; i++) {
        struct prc_group *group = cell->groups[i];
        // memcmp first: it spares the length of a text that is the right one nearly always.
        if (group->adjusted == adjusted && provider.len < sizeof(group->provider) &&
            memcmp(group->provider, provider.data, provider.len) == 0 &&
            group->provider[provider.len] == '\0')
            return group;
    }
    if (!make || cell->group_count == PRC_GROUPS_PER_CELL_MAX)
        return NULL;
    struct prc_group *group = mf_calloc(1, sizeof(*group));
    if (!mf_str_copy(group->provider, sizeof(group->provider), provider)) {
        free(group);
        return NULL;
    }
    group->adjusted = adjusted;
    return cell->groups[cell->group_count++] = group;
}

void prc_cell_reserve_recent(struct prc_cell *cell, size_t count)
{
    size_t before = cell->recent_capacity;
    size_t capacity = before < RECENT_FIRST ? RECENT_FIRST : before;
    while (capacity < count)
        capacity *= 2;
    if (capacity == before)
        return;
    cell->recent = mf_realloc(cell->recent, capacity * sizeof(*cell->recent));
    memset(cell->recent + before, 0, (capacity - before) * sizeof(*cell->recent));
    cell->recent_capacity = capacity;
}

// Most symbols of a market are known by their metadata alone: a ring for each of them from the beginning
// would be most of what they cost.
struct prc_recent *prc_cell_recent(struct prc_cell *cell, uint64_t key_hash, bool *made)
{
    *made = false;
    for (size_t i = cell->recent_count; i > 0; i--) {
        struct prc_recent *entry = &cell->recent[(cell->recent_start + i - 1) % PRC_RECENT];
        if (entry->key_hash == key_hash)
            return entry;
    }
    if (cell->recent_count == PRC_RECENT) {
        cell->recent_start = (cell->recent_start + 1) % PRC_RECENT;
        cell->recent_count--;
    }
    prc_cell_reserve_recent(cell, cell->recent_count + 1);
    struct prc_recent *entry = &cell->recent[(cell->recent_start + cell->recent_count++) % PRC_RECENT];
    free(entry->alerts); // of the one that is forgotten
    *entry = (struct prc_recent){.key_hash = key_hash};
    *made = true;
    return entry;
}
