// SPDX-License-Identifier: Apache-2.0
// Keys and parts of the changelog, the partition record, the rules record.
#include <stdio.h>
#include <stdlib.h>

#include "services/processor/codec_io.h"

#define RULE_WORD_MAX 4096
#define FEED_MAX 128

// ---------------------------------------------------------------- keys

struct mf_str prc_changelog_key_text(const struct prc_changelog_key *key, char out[PRC_CHANGELOG_KEY_MAX])
{
    int len = snprintf(out, PRC_CHANGELOG_KEY_MAX, "%s/%d/%.*s/%.*s/%u",
                       key->role == MF_TOPIC_RAW ? "raw" : "backfill", (int)key->partition,
                       MF_STR_ARG(key->lane), MF_STR_ARG(key->symbol), key->part);
    assert(len > 0 && len < PRC_CHANGELOG_KEY_MAX); // lanes, symbols and feed names are limited
    return (struct mf_str){out, (size_t)len};
}

// Cuts at the last `/`. Symbols may hold one themselves, lanes may not: the ends are taken off first.
static bool cut_last(struct mf_str *text, struct mf_str *last)
{
    for (size_t i = text->len; i > 0; i--)
        if (text->data[i - 1] == '/') {
            *last = (struct mf_str){text->data + i, text->len - i};
            text->len = i - 1;
            return true;
        }
    return false;
}

static bool cut_first(struct mf_str *text, struct mf_str *first)
{
    const char *slash = text->len > 0 ? memchr(text->data, '/', text->len) : NULL;
    if (slash == NULL)
        return false;
    *first = (struct mf_str){text->data, (size_t)(slash - text->data)};
    text->len -= first->len + 1;
    text->data = slash + 1;
    return true;
}

bool prc_changelog_key_parse(struct mf_str text, struct prc_changelog_key *key)
{
    struct mf_str role, partition, part;
    int64_t number = 0, part_number = 0;
    if (text.data == NULL || !cut_first(&text, &role) || !cut_first(&text, &partition) ||
        !cut_first(&text, &key->lane) || !cut_last(&text, &part) || !mf_str_to_i64(partition, &number) ||
        !mf_str_to_i64(part, &part_number))
        return false;
    bool raw = mf_str_eq_c(role, "raw");
    if ((!raw && !mf_str_eq_c(role, "backfill")) || number < 0 || number > INT32_MAX || part_number < 0 ||
        part_number >= PRC_PARTS_MAX)
        return false;
    key->role = raw ? MF_TOPIC_RAW : MF_TOPIC_RAW_BACKFILL;
    key->partition = (int32_t)number;
    key->part = (unsigned)part_number;
    key->symbol = text;
    return true;
}

// ---------------------------------------------------------------- parts

void prc_part_encode(const struct prc_part *part, struct mf_buf *out)
{
    size_t from = out->len;
    struct prc_io io = {.out = out};
    uint64_t version = PRC_CODEC_VERSION, number = part->part, parts = part->parts;
    int64_t offset = part->offset;
    prc_io_u64(&io, &version);
    prc_io_u64(&io, &number);
    prc_io_u64(&io, &parts);
    prc_io_i64(&io, &offset);
    mf_buf_add_str(out, part->bytes);
    if (out->overflow)
        return;
    uint64_t sum = mf_hash64(out->data + from, out->len - from);
    prc_io_fixed(&io, &sum);
}

int prc_part_decode(struct mf_str value, struct prc_part *part, struct mf_error *err)
{
    uint64_t version = 0, number = 0, parts = 0, sum = 0;
    if (value.data == NULL || value.len < sizeof sum + 4)
        return mf_error_set(err, MF_ERROR_FATAL, "state_corrupt", "a record of the changelog is too short");
    const unsigned char *at = (const unsigned char *)value.data, *end = at + value.len - sizeof sum;
    struct prc_io tail = {.at = end, .end = end + sizeof sum}, io = {.at = at, .end = end};
    prc_io_fixed(&tail, &sum);
    if (sum != mf_hash64(at, value.len - sizeof sum))
        return mf_error_set(err, MF_ERROR_FATAL, "state_corrupt",
                            "a record of the changelog does not match its checksum");
    prc_io_u64(&io, &version);
    if (io.bad || version == 0 || version > PRC_CODEC_VERSION || version + 1 < PRC_CODEC_VERSION)
        return mf_error_set(
            err, MF_ERROR_FATAL, "state_version",
            "the changelog was written by codec version %llu, this program reads %d and the one before",
            (unsigned long long)version, PRC_CODEC_VERSION);
    prc_io_u64(&io, &number);
    prc_io_u64(&io, &parts);
    prc_io_i64(&io, &part->offset);
    if (io.bad || parts == 0 || parts > PRC_PARTS_MAX || number >= PRC_PARTS_MAX)
        return mf_error_set(err, MF_ERROR_FATAL, "state_corrupt",
                            "a record of the changelog has wrong parts");
    part->part = (unsigned)number;
    part->parts = (unsigned)parts;
    part->bytes = (struct mf_str){(const char *)io.at, (size_t)(io.end - io.at)};
    return 0;
}

// ---------------------------------------------------------------- partition record

static void io_record(struct prc_io *io, struct prc_partition_record *record)
{
    prc_io_i64(io, &record->floor);
    prc_io_i64(io, &record->committed);
    prc_io_fixed(io, &record->shape);
    prc_io_fixed(io, &record->rules);
    prc_io_u64(io, &record->cells);
}

static void io_lane(struct prc_io *io, struct prc_lane *lane)
{
    prc_io_i64(io, &lane->clock_us);
    prc_io_count(io, &lane->clock_count, PRC_FEEDS_PER_LANE_MAX);
    if (prc_io_reading(io) && lane->clock_count > 0)
        lane->clocks = mf_calloc(lane->clock_count, sizeof *lane->clocks);
    for (size_t i = 0; i < lane->clock_count; i++) {
        prc_io_text(io, &lane->clocks[i].feed, FEED_MAX);
        io->bad |= lane->clocks[i].feed == NULL;
        prc_io_i64(io, &lane->clocks[i].complete_to_us);
    }
}

void prc_partition_encode(const struct prc_partition_record *record, const struct prc_lane *lanes,
                          struct mf_buf *out)
{
    struct prc_io io = {.out = out};
    struct prc_partition_record copy = *record;
    size_t count = 0;
    io_record(&io, &copy);
    for (const struct prc_lane *lane = lanes; lane != NULL; lane = lane->next)
        count++;
    prc_io_count(&io, &count, PRC_LANES_MAX);
    for (const struct prc_lane *lane = lanes; lane != NULL; lane = lane->next) {
        struct prc_lane written = *lane;
        prc_io_text(&io, &written.lane, MF_RUN_ID_MAX + 16);
        io_lane(&io, &written);
    }
}

int prc_partition_decode(struct mf_str bytes, struct prc_partition_record *record,
                         struct prc_partition *partition, struct mf_error *err)
{
    const unsigned char *at = (const unsigned char *)bytes.data;
    struct prc_io io = {.at = at, .end = at + bytes.len};
    size_t count = 0;
    io_record(&io, record);
    prc_io_count(&io, &count, PRC_LANES_MAX);
    for (size_t i = 0; i < count && !io.bad; i++) {
        char *name = NULL;
        prc_io_text(&io, &name, MF_RUN_ID_MAX + 16);
        if (name == NULL) {
            io.bad = true;
            break;
        }
        struct prc_lane *lane = prc_partition_lane(partition, mf_str_of(name), true);
        free(name);
        if (lane->clock_count > 0 || lane->clocks != NULL) {
            io.bad = true; // named twice
            break;
        }
        io_lane(&io, lane);
    }
    return prc_io_end(&io, "a partition", err);
}

// ---------------------------------------------------------------- rules record

static void io_level(struct prc_io *io, double *level)
{
    bool on = *level != 0;
    prc_io_bool(io, &on);
    if (on)
        prc_io_double(io, level);
    else
        *level = 0;
}

static void io_levels(struct prc_io *io, struct prc_rule_config *rules)
{
    for (int r = 0; r < PRC_RULE_MAX; r++)
        for (int i = 0; i < PRC_RULE_INTERVALS; i++)
            for (int s = 0; s < MF_SEVERITY_MAX; s++)
                io_level(io, &rules->thresholds[r][i].level[s]);
    prc_io_double(io, &rules->min_volume);
    prc_io_double(io, &rules->min_price);
    prc_io_double(io, &rules->cluster_ratio);
    prc_io_i64(io, &rules->cooldown_us);
}

void prc_rules_encode(const struct prc_rule_config *rules, struct mf_buf *out)
{
    struct prc_io io = {.out = out};
    struct prc_rule_config copy = *rules;
    io_levels(&io, &copy);
    prc_io_count(&io, &copy.keyword_count, PRC_KEYWORDS_MAX);
    for (size_t k = 0; k < copy.keyword_count; k++) {
        char *word = (char *)copy.keywords[k]; // writing changes nothing
        prc_io_text(&io, &word, RULE_WORD_MAX);
    }
}

int prc_rules_decode(struct mf_str bytes, struct prc_rule_config *rules, struct mf_buf *words,
                     struct mf_error *err)
{
    const unsigned char *at = (const unsigned char *)bytes.data;
    struct prc_io io = {.at = at, .end = at + bytes.len};
    size_t places[PRC_KEYWORDS_MAX];
    memset(rules, 0, sizeof *rules);
    mf_buf_clear(words);
    io_levels(&io, rules);
    prc_io_count(&io, &rules->keyword_count, PRC_KEYWORDS_MAX);
    for (size_t k = 0; k < rules->keyword_count; k++) {
        char *word = NULL;
        prc_io_text(&io, &word, RULE_WORD_MAX);
        places[k] = words->len;
        mf_buf_add_c(words, word != NULL ? word : "");
        mf_buf_add_char(words, '\0');
        free(word);
    }
    io.bad |= words->overflow;
    if (prc_io_end(&io, "the rules", err) < 0)
        return -1;
    for (size_t k = 0; k < rules->keyword_count; k++)
        rules->keywords[k] = words->data + places[k];
    prc_rule_config_prepare(rules);
    return 0;
}

uint64_t prc_rules_hash(const struct prc_rule_config *rules)
{
    struct mf_buf bytes;
    mf_buf_init(&bytes, (size_t)1024 * 1024);
    prc_rules_encode(rules, &bytes);
    assert(!bytes.overflow);
    uint64_t hash = mf_hash64(bytes.data, bytes.len);
    mf_buf_free(&bytes);
    return hash;
}

uint64_t prc_shape_hash(const struct prc_fold_config *config)
{
    const int64_t shape[] = {PRC_SHAPE_VERSION,     PRC_RING,        PRC_LOOKBACK,
                             PRC_LOOKBACK_DAILY,    PRC_RECENT,      PRC_ARTICLES,
                             config->lateness_us,   config->rollups, PRC_CONTRACTS_MAX,
                             PRC_CONTRACT_KEPT_DAYS};
    return mf_hash64(shape, sizeof shape);
}
