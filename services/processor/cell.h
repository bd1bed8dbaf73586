// SPDX-License-Identifier: Apache-2.0
// Cells: all state that the records of one (input partition, lane, symbol) can touch; and the partition that
// holds them with its clocks. There is no undo: whoever gives a transaction up drops the partition's state
// and restores it from the changelog. Ownership: prc_partition_new/free.
#ifndef PRC_CELL_H
#define PRC_CELL_H

#include "common/topics.h"
#include "services/processor/contract.h"

#define PRC_GROUPS_PER_CELL_MAX 16
#define PRC_RECENT 256   // article ids and reference events remembered per cell
#define PRC_ARTICLES 256 // articles remembered for news_cluster and the mean sentiment
#define PRC_SPLITS 8     // ex-dates remembered per cell
#define PRC_LINKS_MAX_US (30 * MF_US_PER_MINUTE)

enum prc_news_rule { PRC_NEWS_KEYWORD, PRC_NEWS_SENTIMENT, PRC_NEWS_CLUSTER, PRC_NEWS_RULE_MAX };
enum prc_news_alert { PRC_NEWS_ALERT_NEVER, PRC_NEWS_ALERT_STANDS, PRC_NEWS_ALERT_WITHDRAWN };

struct prc_recent_alert { // what was last published for an article by one rule
    uint32_t digest;      // hash of what the alert said
    uint16_t revision;
    uint8_t state; // enum prc_news_alert
    uint8_t severity;
    double value;
};

struct prc_recent { // one remembered key
    uint64_t key_hash, content_hash;
    uint16_t revision;               // of the event
    struct prc_recent_alert *alerts; // [PRC_NEWS_RULE_MAX], NULL until one is published; owned
};

struct prc_article {
    int64_t time_us;
    uint64_t key_hash; // as in prc_recent, so that an edit finds its article
    uint64_t url_hash, title_hash;
    double score; // NAN = no sentiment; a float would lose a score of exactly the threshold
};

// Roll-ups end at a day; how far fed_by is stored is part of the codec.
#define PRC_FED_INTERVALS (MF_INTERVAL_1MO + 1)

// One provider's view of the symbol at one adjustment.
struct prc_group {
    char provider[24];
    enum mf_adjusted adjusted;
    struct prc_series *vendor[MF_INTERVAL_MAX];
    struct prc_series *derived[MF_INTERVAL_MAX];
    uint8_t fed_by[MF_INTERVAL_MAX]; // 1 + index of the interval whose series feeds the derived one; 0 =
                                     // none; bit 7: that series is derived
    double news_price;               // close of its newest intraday bar when news_time_us was set; 0 = none
    // mtf_sign of every interval's rule series, once known; made from the series, never stored.
    bool mtf_known;
    int8_t mtf_signs[MF_INTERVAL_MAX];
};
#define PRC_FED_BY_DERIVED 0x80u

struct prc_cell {
    const char *lane;      // its home's
    struct prc_lane *home; // in the same partition, outlives it
    char *symbol;
    size_t symbol_len;
    uint64_t hash; // of lane and symbol
    struct prc_group *groups[PRC_GROUPS_PER_CELL_MAX];
    size_t group_count;
    const struct prc_series *last; // of its last bar: a guess at the next one's, for the cache; or NULL
    struct prc_recent *recent; // a list that grows to PRC_RECENT, and then is a ring; NULL until the first
    size_t recent_start, recent_count, recent_capacity;
    struct prc_article *articles; // ring, NULL until the first
    size_t article_start, article_count;
    struct prc_contracts contracts; // of option bars, whose symbol is the underlying
    char *name, *exchange, *type;   // metadata of the symbol, NULL = not known
    int32_t splits[PRC_SPLITS];     // ex-dates as days since 1970-01-01, newest last
    size_t split_count;
    int64_t news_time_us; // event_time of the newest news alert, as kept (rules.h); 0 = none
    int64_t cluster_quiet_until_us;
    uint8_t cluster_severity;
    // Snapshots: input offsets. dirty_at = first record that changed the cell since its snapshot, -1 = clean.
    int64_t dirty_at;
    int64_t restored_at;            // replay: records before this offset are already in the cell
    int64_t dirty_since_us;         // monotonic; for the snapshot interval only
    uint16_t parts;                 // parts of its last snapshot on the changelog, 0 = none there
    struct prc_cell *next;          // in the bucket
    struct prc_cell *older, *newer; // dirty list of the partition, oldest first
};

#define PRC_LANES_MAX 256          // per input partition
#define PRC_FEEDS_PER_LANE_MAX 128 // clocks
struct prc_clock {
    char *feed;
    int64_t complete_to_us;
};
struct prc_lane { // what is known of a lane besides its cells
    char *lane;
    size_t lane_len;
    uint64_t hash;
    size_t cells;
    int64_t clock_us; // of the ingestor's heartbeats; 0 = none
    struct prc_clock *clocks;
    size_t clock_count;
    struct prc_lane *next;
};

struct prc_partition {
    enum mf_topic_role role; // MF_TOPIC_RAW or MF_TOPIC_RAW_BACKFILL
    int32_t number;
    struct prc_cell **buckets;
    size_t bucket_count, count, max_cells;
    size_t stored; // cells that have a snapshot on the changelog
    struct prc_lane *lanes;
    struct prc_lane *last_lane; // of the last look-up: nearly always the next one's too
    struct prc_cell *dirty_oldest, *dirty_newest;
    size_t dirty_count;
    // Cells that went away since the last transaction, for tombstones: the changelog keys of their parts,
    // each with a line feed behind it. The owner clears it when they are written.
    struct mf_buf removed;
    // Replay: outputs are suppressed below this input offset; cells take only records at or after
    // restored_at.
    bool replaying;
};

struct prc_partition *prc_partition_new(enum mf_topic_role role, int32_t number, size_t max_cells);
void prc_partition_free(struct prc_partition **out);
size_t prc_partition_bytes(const struct prc_partition *partition); // memory of the cells, computed

// The cell; made when absent and `make`. NULL when absent, or when the lane is full (*full is set).
struct prc_cell *prc_partition_cell(struct prc_partition *partition, struct mf_str lane, struct mf_str symbol,
                                    bool make, bool *full);
// A record of the symbol is about to be read: asks the cache for what it will probably touch. Only a guess.
void prc_partition_expect(const struct prc_partition *partition, struct mf_str symbol);
// The same for what hangs on a cell that is at hand.
void prc_cell_expect(const struct prc_cell *cell);
// The record at this offset changes the cell: enters the dirty list at its first change.
void prc_cell_dirty(struct prc_partition *partition, struct prc_cell *cell, int64_t offset);
// Its snapshot is on its way: leaves the dirty list.
void prc_cell_clean(struct prc_partition *partition, struct prc_cell *cell);
// Removes the cell, remembering its changelog keys when it has a snapshot.
void prc_partition_remove(struct prc_partition *partition, struct prc_cell **out);
// The lane; made when absent and `make`; NULL when there is none, or PRC_LANES_MAX.
struct prc_lane *prc_partition_lane(struct prc_partition *partition, struct mf_str name, bool make);
// Forgets the lane's clocks, and the lane when no cell of it is left.
void prc_partition_drop_lane(struct prc_partition *partition, struct mf_str name);
// complete_to of the feed "<provider>.bars.<interval>"; INT64_MIN when the lane has not heard of it.
int64_t prc_lane_complete_to(const struct prc_lane *lane, const char *provider, enum mf_interval interval);
// Moves a feed's clock, never back. False for one feed more than PRC_FEEDS_PER_LANE_MAX.
bool prc_lane_move(struct prc_lane *lane, struct mf_str feed, int64_t complete_to_us);

// The group; made when absent and `make`; NULL when there is none, or PRC_GROUPS_PER_CELL_MAX.
struct prc_group *prc_cell_group(struct prc_cell *cell, struct mf_str provider, enum mf_adjusted adjusted,
                                 bool make);
// The entry of a key hash; made (with made = true) when absent, the oldest is forgotten beyond PRC_RECENT.
// Valid until the next one is made.
struct prc_recent *prc_cell_recent(struct prc_cell *cell, uint64_t key_hash, bool *made);
void prc_cell_reserve_recent(struct prc_cell *cell, size_t count); // at most PRC_RECENT
// The series whose bars the rules of an interval look at: the vendor's if the group has one, else the
// derived.
static inline struct prc_series *prc_rule_series(const struct prc_group *group, enum mf_interval interval)
{
    return group->vendor[interval] != NULL ? group->vendor[interval] : group->derived[interval];
}

#endif
