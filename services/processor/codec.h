// SPDX-License-Identifier: Apache-2.0
// State ↔ bytes: snapshots of cells and partition records as they stand on market.processor.changelog. Pure.
// Little-endian, versioned (PRC_CODEC_VERSION; the version before it is read too), checksummed (XXH3-64 of
// what precedes), every count and length limited. Failure class of decoding: FATAL "state_corrupt" (a wrong
// checksum, count or length), "state_version" (a newer or too old codec).
#ifndef PRC_CODEC_H
#define PRC_CODEC_H

#include "services/processor/fold.h"

#define PRC_CODEC_VERSION 1
#define PRC_PART_BYTES_MAX ((size_t)800 * 1024) // of one changelog record's value
#define PRC_PARTS_MAX 256
#define PRC_CHANGELOG_KEY_MAX 320

// Key of a record on the changelog: text "raw|<partition>|<lane>|<symbol>|<part>" ("backfill|…"); the partition record
// has an empty lane and symbol. Returns the length.
size_t prc_changelog_key(enum mf_topic_role role, int32_t partition, struct mf_str lane, struct mf_str symbol,
                         unsigned part, char out[PRC_CHANGELOG_KEY_MAX]);
struct prc_changelog_key {
    enum mf_topic_role role;
    int32_t partition;
    struct mf_str lane, symbol; // empty for the partition record
    unsigned part;
};
bool prc_changelog_key_parse(struct mf_str key, struct prc_changelog_key *out); // views into key

// A cell as of an input offset (every record below it is in it). Appends the whole snapshot to out; the caller
// cuts it into parts of PRC_PART_BYTES_MAX, each with the header {version, part, parts, offset, total length}.
void prc_cell_encode(const struct prc_cell *cell, int64_t offset, struct mf_buf *out);
// The cell (lane and symbol from the key), with restored_at = its offset.
int prc_cell_decode(struct prc_partition *partition, struct mf_str lane, struct mf_str symbol,
                    struct mf_str bytes, struct mf_error *err);

// What is true of an input partition as of the transaction that wrote it.
struct prc_partition_record {
    int64_t floor;     // below it every cell's changes are in its snapshot: replay begins here
    int64_t committed; // input offset that the same transaction committed
    uint64_t shape;    // hash of the state-shaping settings and the codec's version
    struct prc_rule_config rules; // those that folded up to `committed`; keywords in rule_words
    struct mf_buf rule_words;     // owner of the keyword texts, decode only
};
// Clocks are those as of the floor.
void prc_partition_encode(const struct prc_partition_record *record, const struct prc_lane *lanes,
                          struct mf_buf *out);
// Fills the record and makes the partition's lanes with their clocks.
int prc_partition_decode(struct mf_str bytes, struct prc_partition_record *record,
                         struct prc_partition *partition, struct mf_error *err);

// Hash of everything that shapes state: lateness, roll-ups, ring and look-back sizes, codec version.
uint64_t prc_shape_hash(const struct prc_fold_config *config);

#endif
