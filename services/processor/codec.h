// SPDX-License-Identifier: Apache-2.0
// State ↔ bytes: what stands on market.processor.changelog. Three kinds of records: snapshots of cells (cut
// into parts), the partition record, the rules record. Pure. Little-endian, versioned (PRC_CODEC_VERSION; the
// version before it is read too), checksummed (XXH3-64), every count and length limited. Failure class of
// decoding: FATAL "state_corrupt" (a wrong checksum, count or length), "state_version" (an unknown codec).
#ifndef PRC_CODEC_H
#define PRC_CODEC_H

#include "services/processor/fold.h"

#define PRC_CODEC_VERSION 1
#define PRC_PART_BYTES_MAX \
    ((size_t)800 * 1024) // of a part's payload: one Kafka record is at most 1 000 000 bytes
#define PRC_PARTS_MAX 256
#define PRC_SNAPSHOT_BYTES_MAX (PRC_PART_BYTES_MAX * PRC_PARTS_MAX)
#define PRC_CHANGELOG_KEY_MAX 320

// Key of a record on the changelog, text: "<raw|backfill>/<partition>/<lane>/<symbol>/<part>". The partition
// record has an empty lane and symbol and part 0, the rules record the same and part 1.
struct prc_changelog_key {
    enum mf_topic_role role; // MF_TOPIC_RAW or MF_TOPIC_RAW_BACKFILL
    int32_t partition;
    struct mf_str lane, symbol; // empty for partition and rules records
    unsigned part;
};
#define PRC_RULES_PART 1
struct mf_str prc_changelog_key_text(const struct prc_changelog_key *key, char out[PRC_CHANGELOG_KEY_MAX]);
bool prc_changelog_key_parse(struct mf_str text, struct prc_changelog_key *key); // views into text

// Every value on the changelog is a part: {version, part, parts, offset, bytes, checksum}.
struct prc_part {
    unsigned part, parts; // parts 1..PRC_PARTS_MAX
    int64_t offset; // cells: every input record below it is in the snapshot; others: the committed offset
    struct mf_str bytes; // view
};
void prc_part_encode(const struct prc_part *part, struct mf_buf *out); // appends
int prc_part_decode(struct mf_str value, struct prc_part *part, struct mf_error *err);
static inline unsigned prc_parts_of(size_t bytes)
{
    return bytes == 0 ? 1 : (unsigned)((bytes + PRC_PART_BYTES_MAX - 1) / PRC_PART_BYTES_MAX);
}

// The cell without lane, symbol and offset, which key and part carry. Appends to out; what would pass
// PRC_SNAPSHOT_BYTES_MAX shows as out->overflow.
void prc_cell_encode(const struct prc_cell *cell, struct mf_buf *out);
// Makes the cell in the partition (which has none of that name) with restored_at = offset and clean.
int prc_cell_decode(struct prc_partition *partition, struct mf_str lane, struct mf_str symbol, int64_t offset,
                    struct mf_str bytes, struct mf_error *err);

// What is true of an input partition as of the transaction that wrote it.
struct prc_partition_record {
    int64_t floor;     // below it every cell's changes are in its snapshot: replay begins here
    int64_t committed; // input offset that the same transaction committed
    uint64_t shape;    // prc_shape_hash of who wrote it
    uint64_t rules;    // prc_rules_hash of the rules record that goes with it
    uint64_t cells;    // that have a snapshot: fewer on the changelog = it was cut off
};
// lanes: their clocks as of the floor (a list by `next`).
void prc_partition_encode(const struct prc_partition_record *record, const struct prc_lane *lanes,
                          struct mf_buf *out);
// Fills the record and makes the partition's lanes with their clocks.
int prc_partition_decode(struct mf_str bytes, struct prc_partition_record *record,
                         struct prc_partition *partition, struct mf_error *err);

// The rules that fold from the floor on. Written where they differ from the stored ones, and then only when
// nothing below the floor's new place was folded under the others, because a replay runs under one set.
void prc_rules_encode(const struct prc_rule_config *rules, struct mf_buf *out);
// words: owner of the keyword texts, which must outlive *rules.
int prc_rules_decode(struct mf_str bytes, struct prc_rule_config *rules, struct mf_buf *words,
                     struct mf_error *err);
uint64_t prc_rules_hash(const struct prc_rule_config *rules);

// Raised when a definition changes what state holds: an indicator, a roll-up, what is remembered. Not with
// the codec's version, whose predecessor can be read.
#define PRC_SHAPE_VERSION 1
// Hash of everything that shapes state: definitions, lateness, roll-ups, ring and look-back sizes.
uint64_t prc_shape_hash(const struct prc_fold_config *config);

#endif
